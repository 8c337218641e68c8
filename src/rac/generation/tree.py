"""Decoding as a tree: a prompt's keys and values are computed once and shared by all continuations of it.

One model row holds one prompt. Its continuations ("branches") are the query positions of that row, and a 4-D mask says
which cached columns a branch sees: the prompt and the tokens on its own path. So N candidates need the prompt once, the
cache is written in place and never copied or reordered (beam search only changes the mask), and a branch that ends
leaves the row. Tokens that all prompts begin with (instructions, solved examples) go through the model once for all of
them. Works for models that take a 4-D mask and explicit position ids; ``supports_tree`` tries that out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicLayer

log = logging.getLogger(__name__)

PREFILL_TOKENS = 1024
"""Prompt tokens (pads included) that go through the model at once."""
SHARE_FROM = 16
"""Prompts that begin with fewer equal tokens are run whole: a pass of its own for so few does not pay."""


class _BufferLayer(CacheLayerMixin):  # type: ignore[misc]
    """Keys and values of one layer in buffers [prompts, heads, columns, head size] that are written in place."""

    is_sliding = False

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys, self.values = keys, values
        self.rows = keys.shape[0]
        self.used = 0
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: the buffers exist from the start."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Write the new columns behind the used ones; return everything up to them, as views."""
        end = self.used + key_states.shape[2]
        self.keys[: self.rows, :, self.used : end] = key_states
        self.values[: self.rows, :, self.used : end] = value_states
        return self.keys[: self.rows, :, :end], self.values[: self.rows, :, :end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.used + query_length, 0

    def get_seq_length(self) -> int:
        return self.used

    def get_max_length(self) -> int:
        return int(self.keys.shape[2])


class UnsupportedModelError(Exception):
    """The model's cache or attention cannot hold a tree; the caller decodes in another way."""


class TreeDecoder:
    """Steps any number of branches of several prompts through one model.

    The live branches are kept in a list, grouped by prompt. ``step`` names for each new branch the live branch that it
    continues, so the same call serves sampling (each continues itself), dropping finished branches (nobody continues
    them) and beam search (several continue one).

    Args:
        model: A causal language model in evaluation mode.
        prompts: Token ids of each prompt, none empty.
        columns: Upper bound for the number of live branches of one prompt, times the number of steps.
        share_from: The least number of equal first tokens that are run once for all prompts.
    """

    def __init__(
        self, model: Any, prompts: Sequence[Sequence[int]], columns: int, share_from: int = SHARE_FROM
    ) -> None:
        if not prompts or not all(len(p) for p in prompts):
            raise ValueError("a tree needs at least one prompt and no empty one")
        self.model = model
        self.device = next(model.parameters()).device
        self.prompts = [list(p) for p in prompts]
        self._width = max(len(p) for p in prompts)
        # Each prompt keeps a token of its own, whose logits are asked for.
        shared = min(common_beginning(self.prompts), min(map(len, self.prompts)) - 1)
        self._shared = shared if len(prompts) > 1 and shared >= share_from else 0
        """Columns of the tokens that all prompts begin with; what a prompt goes on with ends at ``_width``."""
        self._columns = columns
        self._layers: list[_BufferLayer] = []
        self._slots = list(range(len(prompts)))
        """Which prompt lies in which row of the buffers; only the first rows are live."""
        self._lengths = torch.tensor([len(p) for p in prompts])
        self._dtype: torch.dtype = torch.float32
        self.branch_prompts = torch.arange(len(prompts))
        """For each live branch the prompt that it belongs to, ascending."""
        self._depth = torch.zeros(len(prompts), dtype=torch.long)
        self._visible = torch.zeros(len(prompts), columns, dtype=torch.bool)

    @torch.inference_mode()
    def start(self) -> Tensor:
        """Run the prompts; return the next-token logits, one row per prompt [prompts, vocabulary], float32.

        Raises:
            UnsupportedModelError: if the model's cache is not plain full attention in every layer.
        """
        count = len(self.prompts)
        beginning = self._run_shared() if self._shared else None
        logits: list[Tensor] = []
        first = 0
        while first < count:
            last, width = first, 0
            while last < count:
                width = max(width, len(self.prompts[last]) - self._shared)
                if last > first and width * (last + 1 - first) > PREFILL_TOKENS:
                    break
                last += 1
            logits.append(self._prefill(first, last, beginning))
            first = last
        for layer in self._layers:
            layer.used = self._width
        return torch.cat(logits)

    def _run_shared(self) -> DynamicCache:
        """Run what all prompts begin with, once; return its keys and values, of one row."""
        cache = DynamicCache(config=self.model.config)
        ids = torch.tensor([self.prompts[0][: self._shared]], device=self.device)
        self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        self._check(cache, self._shared)
        return cache

    def _prefill(self, first: int, last: int, beginning: DynamicCache | None) -> Tensor:
        """Run prompts ``first`` to ``last`` (exclusive), padded on the left, behind the keys and values of
        ``beginning``, and copy theirs to the buffers."""
        shared = self._shared
        chunk = [prompt[shared:] for prompt in self.prompts[first:last]]
        width = max(len(p) for p in chunk)
        pads = torch.tensor([width - len(p) for p in chunk])
        ids = torch.tensor([[0] * (width - len(p)) + p for p in chunk])
        steps = torch.arange(width)
        mask = torch.cat([torch.ones(len(chunk), shared, dtype=torch.long), (steps >= pads[:, None]).long()], dim=1)
        positions = shared + (steps[None, :] - pads[:, None]).clamp(min=0)
        cache = DynamicCache(config=self.model.config)
        for number, layer in enumerate(beginning.layers if beginning else ()):
            cache.update(*(part.expand(len(chunk), -1, -1, -1) for part in (layer.keys, layer.values)), number)
        output = self.model(
            input_ids=ids.to(self.device), attention_mask=mask.to(self.device),
            position_ids=positions.to(self.device), past_key_values=cache, use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        self._check(cache, shared + width)
        for number, layer in enumerate(cache.layers):
            if number == len(self._layers):
                size = (len(self.prompts), layer.keys.shape[1], self._width + self._columns)
                self._layers.append(
                    _BufferLayer(
                        layer.keys.new_empty((*size, layer.keys.shape[3])),
                        layer.values.new_empty((*size, layer.values.shape[3])),
                    )
                )
                self._dtype = layer.keys.dtype
            buffers = self._layers[number]
            for buffer, part in ((buffers.keys, layer.keys), (buffers.values, layer.values)):
                buffer[first:last, :, :shared] = part[:, :, :shared]
                # Right-aligned; what lies left of a shorter chunk must be finite, since 0 times NaN is NaN.
                buffer[first:last, :, shared : self._width - width] = 0
                buffer[first:last, :, self._width - width : self._width] = part[:, :, shared:]
        return output.logits[:, -1].float()

    @staticmethod
    def _check(cache: DynamicCache, width: int) -> None:
        """Raise ``UnsupportedModelError`` unless every layer holds plain keys and values of ``width`` columns."""
        for number, layer in enumerate(cache.layers):
            if type(layer) is not DynamicLayer or not layer.is_initialized or layer.keys is None:
                raise UnsupportedModelError(f"layer {number} caches with {type(layer).__name__}")
            if layer.keys.dim() != 4 or layer.keys.shape[2] != width or layer.values is None:
                raise UnsupportedModelError(f"layer {number} caches keys of shape {tuple(layer.keys.shape)}")

    @torch.inference_mode()
    def step(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Append one token to each of some branches and return the logits of what follows.

        Args:
            parents: Indices into the live branches [n], ascending by prompt; those that nobody names are dropped.
            tokens: The token appended to each [n].

        Returns:
            Next-token logits [n, vocabulary] in float32, in the order of ``parents``.
        """
        prompts = self.branch_prompts[parents]
        live = torch.unique(prompts).tolist()
        self._compact(live)
        row_of = {prompt: row for row, prompt in enumerate(self._slots[: len(live)])}
        rows = torch.tensor([row_of[p] for p in prompts.tolist()])
        # Rank of a branch among the branches of its prompt: the position it takes in the row.
        starts = torch.searchsorted(prompts, prompts)
        ranks = torch.arange(len(prompts)) - starts
        branches = int(ranks.max()) + 1
        used = self._layers[0].used
        column = used - self._width
        if column + branches > self._columns:
            raise ValueError(f"the tree was made for {self._columns} columns and needs {column + branches}")
        depth = self._depth[parents] + 1
        visible = self._visible[parents]
        visible[torch.arange(len(prompts)), column + ranks] = True

        ids = torch.zeros(len(live), branches, dtype=torch.long)
        positions = torch.zeros(len(live), branches, dtype=torch.long)
        seen = torch.zeros(len(live), branches, used + branches, dtype=torch.bool)
        # A place of the grid without a branch sees itself, so that its softmax has something to sum.
        seen[:, torch.arange(branches), used + torch.arange(branches)] = True
        ids[rows, ranks] = tokens.cpu()
        positions[rows, ranks] = self._lengths[prompts] + depth - 1
        columns = torch.arange(self._width)
        own = columns >= self._width + self._shared - self._lengths[prompts][:, None]
        in_prompt = own | (columns < self._shared)
        seen[rows, ranks] = torch.cat([in_prompt, visible[:, : column + branches]], dim=1)
        mask = torch.zeros(seen.shape, dtype=self._dtype).masked_fill_(~seen, torch.finfo(self._dtype).min)

        output = self.model(
            input_ids=ids.to(self.device), attention_mask=mask[:, None].to(self.device),
            position_ids=positions.to(self.device), past_key_values=Cache(layers=self._layers), use_cache=True,
        )  # fmt: skip
        for layer in self._layers:
            layer.used = used + branches
        self.branch_prompts, self._depth, self._visible = prompts, depth, visible
        return output.logits[rows.to(self.device), ranks.to(self.device)].float()

    def _compact(self, live: list[int]) -> None:
        """Move the rows of live prompts to the front of the buffers; only rows that lie behind are copied."""
        keep = set(live)
        rows = len(live)
        if rows == self._layers[0].rows:
            return
        holes = [row for row in range(rows) if self._slots[row] not in keep]
        movers = [row for row in range(rows, self._layers[0].rows) if self._slots[row] in keep]
        for hole, mover in zip(holes, movers, strict=True):
            for layer in self._layers:
                layer.keys[hole, :, : layer.used] = layer.keys[mover, :, : layer.used]
                layer.values[hole, :, : layer.used] = layer.values[mover, :, : layer.used]
            self._slots[hole] = self._slots[mover]
        for layer in self._layers:
            layer.rows = rows


def common_beginning(sequences: Sequence[list[int]]) -> int:
    """Return how many first tokens all sequences have in common."""
    # Whatever the first and the last one in lexicographic order share, those between them share, too.
    first, last = min(sequences), max(sequences)
    return next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))


@torch.inference_mode()
def supports_tree(model: Any) -> str:
    """Return "" if a tree on this model gives the logits of the plain forward pass, else the reason why not.

    Two short prompts of unequal length with two branches each are decoded for two steps and compared with whole
    sequences. So a model that ignores position ids or the mask is found out whatever its class is called.
    """
    implementation = getattr(model.config, "_attn_implementation", None)
    if implementation not in ("sdpa", "eager"):
        return f"its attention implementation is '{implementation}', which takes no 4-D mask"
    vocabulary = model.get_input_embeddings().weight.shape[0]
    prompts = [[(7 * i + 3) % vocabulary for i in range(n)] for n in (3, 6)]
    tokens = [[(11 * i + b) % vocabulary for i in (1, 2)] for b in range(4)]
    try:
        tree = TreeDecoder(model, prompts, columns=4, share_from=1)
        tree.start()
        tree.step(torch.tensor([0, 0, 1, 1]), torch.tensor([t[0] for t in tokens]))
        found = tree.step(torch.arange(4), torch.tensor([t[1] for t in tokens]))
        expected = torch.stack(
            [
                model(input_ids=torch.tensor([prompts[b // 2] + tokens[b]], device=tree.device)).logits[0, -1].float()
                for b in range(4)
            ]
        )
    except UnsupportedModelError as error:
        return str(error)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        return f"a trial step failed ({type(error).__name__}: {error})"
    scale = float(expected.abs().max()) or 1.0
    difference = float((found - expected).abs().max()) / scale
    tolerance = 1e-3 if next(model.parameters()).dtype in (torch.float32, torch.float64) else 0.1
    if not difference <= tolerance:
        return f"a trial step differed from the plain forward pass by {difference:.2g} of the largest logit"
    return ""
