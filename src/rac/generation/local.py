"""Generation in process: one greedy question or N samples for each of many prompts.

Against ``transformers.generate(num_return_sequences=N)`` the distribution is the same and the work is less: prompts
are computed once and shared by their candidates (``tree.py``), finished candidates leave the batch, prompts are sorted
by length, and a top-k cut comes before top-p. A model that cannot be decoded so is handed to ``generate``; the log says
so.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from rac.errors import UserError
from rac.generation.candidates import Branch, Candidate, GenerationCancelled, Stepper, grow
from rac.generation.sampling import draw, stream
from rac.generation.tree import TreeDecoder, supports_tree
from rac.progress import Progress

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

Ids = Sequence[int]


def end_tokens(model: Any, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return every token that ends an answer of this model."""
    ends: set[int] = set()
    for source in (tokenizer, model.config, getattr(model, "generation_config", None)):
        value = getattr(source, "eos_token_id", None)
        if value is not None:
            ends.update(value if isinstance(value, (list, tuple)) else [value])
    return ends


class LocalGenerator:
    """Generates questions with a model in this process.

    Args:
        model: A causal language model in evaluation mode.
        tokenizer: Its tokenizer.
        max_new_tokens: Limit for the tokens of a question, the end token included.
        max_rows: How many candidates grow at the same time (prompts times samples). More is faster and takes memory.
    """

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, *, max_new_tokens: int = 48, max_rows: int = 64
    ) -> None:
        if max_new_tokens < 1 or max_rows < 1:
            raise ValueError("max_new_tokens and max_rows must be at least 1")
        self.model = model
        self.tokenizer = tokenizer
        self.max_new_tokens = max_new_tokens
        self.max_rows = max_rows
        self.ends = end_tokens(model, tokenizer)
        reason = supports_tree(model)
        if reason:
            log.info("decoding with transformers' generate, which is slower: %s", reason)
        self.shares_prompts = not reason
        """Whether the fast path is used."""

    @property
    def digest(self) -> str:
        """A hash of the weights."""
        from rac.models import weights_digest

        return weights_digest(self.model)

    def greedy(
        self, prompts: Sequence[Ids], *, cancel: Callable[[], bool] | None = None, label: str = "asking"
    ) -> list[Candidate]:
        """Return the greedily decoded question of each prompt.

        Args:
            prompts: Token ids of each prompt.
            cancel: Asked before every step; True raises ``GenerationCancelled``.
            label: Shown with the progress; "" shows none.

        Raises:
            UserError: if a prompt and ``max_new_tokens`` do not fit into the model's context.
        """
        return [found[0] for found in self._all(prompts, 1, None, cancel=cancel, label=label)]

    def sample(
        self,
        prompts: Sequence[Ids],
        n: int,
        *,
        temperature: float = 1.0,
        top_p: float = 0.95,
        top_k: int = 0,
        seed: int,
        cancel: Callable[[], bool] | None = None,
        label: str = "sampling",
    ) -> list[list[Candidate]]:
        """Return ``n`` sampled questions of each prompt.

        What is sampled depends on the seed and the prompt's content, not on the other prompts of the call or on ``n``
        (but for rounding); equal prompts get equal samples.

        Args:
            prompts: Token ids of each prompt.
            n: Number of samples.
            temperature: Above 0.
            top_p: Nucleus, in (0, 1].
            top_k: Only the k most probable tokens; 0 is no limit.
            seed: Of the random streams.
            cancel: See ``greedy``.
            label: See ``greedy``.

        Raises:
            ValueError: for settings outside their ranges.
            UserError: see ``greedy``.
        """
        if n < 1 or temperature <= 0 or not 0 < top_p <= 1 or top_k < 0:
            raise ValueError(
                f"n={n}, temperature={temperature}, top_p={top_p}, top_k={top_k}: n must be 1 or more, temperature "
                "above 0 (use greedy() for 0), top_p in (0, 1] and top_k 0 or more"
            )
        settings = {"temperature": temperature, "top_p": top_p, "top_k": top_k}
        return self._all(prompts, n, seed, cancel=cancel, label=label, **settings)

    def stream(
        self,
        prompt: Ids,
        *,
        temperature: float = 0.0,
        top_p: float = 0.95,
        top_k: int = 0,
        seed: int = 0,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[str]:
        """Yield one question piece by piece as it is generated; joined and stripped they are ``Candidate.text``.

        Closing the iterator, or a True from ``cancel``, stops the generation.

        Args:
            prompt: Token ids.
            temperature: 0 is greedy.
            top_p: See ``sample``.
            top_k: See ``sample``.
            seed: See ``sample``.
            cancel: See ``greedy``.
        """
        prompt = list(prompt)
        self.check([prompt])
        stepper = self.decoder([prompt], 1)
        uniforms = torch.from_numpy(stream(seed, prompt, 0, self.max_new_tokens))
        tokens: list[int] = []
        shown = ""
        scores = stepper.start()
        for position in range(self.max_new_tokens):
            if cancel is not None and cancel():
                raise GenerationCancelled
            token = int(
                draw(scores, uniforms[position : position + 1], temperature=temperature, top_p=top_p, top_k=top_k)
            )
            if token in self.ends:
                break
            tokens.append(token)
            text = self.text_of(tokens)
            # A character of several tokens is shown when it is whole.
            if not text.endswith("\ufffd"):
                yield text[len(shown) :]
                shown = text
            if position + 1 < self.max_new_tokens:
                scores = stepper.step(torch.tensor([0]), torch.tensor([token]))
        text = self.text_of(tokens)
        if text != shown:
            yield text[len(shown) :]

    def decoder(self, prompts: Sequence[Ids], n: int) -> Stepper:
        """Return the stepper for some prompts with ``n`` branches each; a subclass may combine several models here."""
        if not self.shares_prompts and len(prompts) == n == 1:
            return _PlainStepper(self.model, prompts[0])
        return TreeDecoder(self.model, prompts, n * self.max_new_tokens)

    def _all(
        self,
        prompts: Sequence[Ids],
        n: int,
        seed: int | None,
        *,
        cancel: Callable[[], bool] | None,
        label: str,
        **settings: Any,
    ) -> list[list[Candidate]]:
        whole = [tuple(p) for p in prompts]
        self.check(whole)
        # Equal prompts give equal candidates: each is computed once. Sorted by length, longest first, so that the
        # largest batch comes first and little is padded.
        unique = sorted(set(whole), key=lambda p: (-len(p), p))
        found: dict[tuple[int, ...], list[Candidate]] = {}
        size = max(1, self.max_rows // n)
        with Progress(label, len(unique), unit="prompts", quiet=1.5 if label else math.inf) as progress:
            for first in range(0, len(unique), size):
                group = unique[first : first + size]
                if self.shares_prompts:
                    branches = self._grow(group, n, seed, cancel, settings)
                else:
                    branches = [plain_generate(self, p, n, seed, **settings) for p in group]
                for prompt, grown in zip(group, branches, strict=True):
                    found[prompt] = [self._candidate(branch) for branch in grown]
                progress.advance(len(group))
        return [found[p] for p in whole]

    def _grow(
        self,
        group: list[tuple[int, ...]],
        n: int,
        seed: int | None,
        cancel: Callable[[], bool] | None,
        settings: dict[str, Any],
    ) -> list[list[Branch]]:
        uniforms: Tensor | None = None
        if seed is not None:
            streams = [stream(seed, p, c, self.max_new_tokens) for p in group for c in range(n)]
            uniforms = torch.from_numpy(np.stack(streams))
        return grow(
            self.decoder(group, n), len(group), n, ends=self.ends, max_new_tokens=self.max_new_tokens,
            uniforms=uniforms, cancel=cancel, **settings,
        )  # fmt: skip

    def check(self, prompts: Sequence[Ids]) -> None:
        """Raise ``UserError`` if a prompt and the longest question do not fit into the model's context."""
        limit = getattr(self.model.config, "max_position_embeddings", None)
        for prompt in prompts:
            if not prompt:
                raise ValueError("an empty prompt cannot be continued")
            if limit is not None and len(prompt) + self.max_new_tokens > limit:
                raise UserError(
                    f"a prompt of {len(prompt)} tokens and a question of up to {self.max_new_tokens} do not fit into "
                    f"the model's context of {limit} tokens: lower top_k or passage_tokens, or max_new_tokens"
                )

    def text_of(self, tokens: list[int]) -> str:
        """Return the text of generated tokens, without control tokens."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _candidate(self, branch: Branch) -> Candidate:
        body = branch.tokens[:-1] if branch.finished else branch.tokens
        return Candidate(self.text_of(body).strip(), branch.tokens, branch.logprob, branch.finished)


class _PlainStepper:
    """Runs the whole sequence again at every step: for models whose cache cannot be shared."""

    def __init__(self, model: Any, prompt: Ids) -> None:
        self.model = model
        self.ids = list(prompt)
        self.device = next(model.parameters()).device

    @torch.inference_mode()
    def start(self) -> Tensor:
        output = self.model(input_ids=torch.tensor([self.ids], device=self.device), use_cache=False)
        return output.logits[:, -1].float()

    def step(self, parents: Tensor, tokens: Tensor) -> Tensor:
        self.ids.append(int(tokens[0]))
        return self.start()


@torch.inference_mode()
def plain_generate(
    generator: LocalGenerator,
    prompt: Ids,
    n: int,
    seed: int | None,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
) -> list[Branch]:
    """Decode one prompt with ``transformers.generate``: the fallback, and the yardstick of the tests.

    Args:
        generator: Whose model, end tokens and limit are used.
        prompt: Token ids.
        n: Number of sequences.
        seed: None is greedy decoding.
        temperature: See ``LocalGenerator.sample``.
        top_p: See ``LocalGenerator.sample``.
        top_k: See ``LocalGenerator.sample``.
    """
    model = generator.model
    device = next(model.parameters()).device
    ids = torch.tensor([list(prompt)], device=device)
    ends = sorted(generator.ends)
    options: dict[str, Any] = {"do_sample": False}
    if seed is not None:
        options = {
            "do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": top_k, "num_return_sequences": n
        }  # fmt: skip
    digest = hashlib.sha256(f"{seed}|{','.join(map(str, prompt))}".encode()).digest()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int.from_bytes(digest[:7], "big"))
        output = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=generator.max_new_tokens,
            eos_token_id=ends or None, pad_token_id=ends[0] if ends else 0, return_dict_in_generate=True,
            output_logits=True, **options,
        )  # fmt: skip
    logprobs = torch.stack([torch.log_softmax(step.float(), dim=-1) for step in output.logits], dim=1)
    branches: list[Branch] = []
    for row, tokens in enumerate(output.sequences[:, len(prompt) :].tolist()):
        branch = Branch([])
        for position, token in enumerate(tokens):
            branch.tokens.append(token)
            branch.logprob += float(logprobs[row, position, token])
            if token in generator.ends:
                branch.finished = True
                break
        branches.append(branch)
    return branches if seed is not None else branches * n
