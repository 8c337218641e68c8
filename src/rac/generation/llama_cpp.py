"""Generation in process with llama.cpp, on a GGUF file that is made from the model on first use.

llama.cpp takes the place of the tree decoder under ``LocalGenerator``: it steps the same branches and gives the same
kind of scores, so greedy questions, samples (same random streams, same top-p), streaming and the service's batches work
as before. A prompt is computed once; its branches are sequences that share its cells of the cache. With 16-bit weights
a close decision can turn against float32: see docs/generation.md for how often it does.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from rac.errors import UserError
from rac.files import sha256_file
from rac.generation.local import Ids, LocalGenerator
from rac.models import cache_dir, weights_digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

MOST_SEQUENCES = 256
"""llama.cpp's own limit for sequences in one context."""

_BATCH = 512


class LlamaCppGenerator(LocalGenerator):
    """A ``LocalGenerator`` whose model is computed by llama.cpp.

    Args:
        path: A GGUF file.
        tokenizer: The model's tokenizer; the file's own is not used.
        config: The model's configuration, of which the context length and end tokens are read.
        max_new_tokens: See ``LocalGenerator``.
        max_rows: See ``LocalGenerator``.
        threads: Threads of llama.cpp; as many as torch uses if None.

    Raises:
        UserError: if llama-cpp-python is not installed, or cannot load the file.
    """

    shares_prompts = True

    def __init__(
        self, path: Path, tokenizer: PreTrainedTokenizerBase, config: Any, *, max_new_tokens: int = 48,
        max_rows: int = 64, threads: int | None = None,
    ) -> None:  # fmt: skip
        try:
            import llama_cpp
        except ImportError as error:
            raise UserError(
                "this engine needs llama-cpp-python, which is not installed: pip install 'rac-clarify[llama-cpp]' "
                "(it is compiled for this machine, which takes minutes)"
            ) from error
        if max_new_tokens < 1 or not 1 <= max_rows <= MOST_SEQUENCES:
            raise ValueError(f"max_new_tokens must be at least 1, and max_rows 1 to {MOST_SEQUENCES}")
        self.path = path
        self.model = _Described(config)
        self.tokenizer = tokenizer
        self.max_new_tokens, self.max_rows = max_new_tokens, max_rows
        self.ends = _ends(tokenizer, config)
        self.threads = threads or torch.get_num_threads()
        llama_cpp.llama_backend_init()
        _silence()
        settings = llama_cpp.llama_model_default_params()
        self._weights = llama_cpp.llama_model_load_from_file(str(path).encode(), settings)
        if not self._weights:
            raise UserError(f"llama.cpp cannot load {path}: is it a whole GGUF file?")
        self.vocabulary = int(llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._weights)))

    @classmethod
    def of(cls, model: Any, tokenizer: PreTrainedTokenizerBase, *, dtype: Any = "f16", **options: Any) -> Any:
        """Make one from a model in memory; its GGUF file is kept in the cache.

        Args:
            model: The model, adapters merged in.
            tokenizer: Its tokenizer.
            dtype: Of the weights: f16, f32 or q8_0.
            options: See the class.
        """
        path = cache_dir() / "gguf" / f"{weights_digest(model)[:24]}-{dtype}.gguf"
        if not path.exists():
            from rac.models_export import write_gguf

            log.info("writing the model for llama.cpp (once) ...")
            write_gguf(model, tokenizer, path, dtype=dtype)
        return cls(path, tokenizer, model.config, **options)

    @property
    def digest(self) -> str:
        """A hash of the file."""
        return sha256_file(self.path)

    def decoder(self, prompts: Sequence[Ids], n: int) -> LlamaCppDecoder:
        """Return what steps some prompts with ``n`` branches each."""
        return LlamaCppDecoder(self._weights, prompts, n, self.max_new_tokens, self.vocabulary, self.threads)

    def close(self) -> None:
        """Free the weights."""
        import llama_cpp

        if self._weights:
            llama_cpp.llama_model_free(self._weights)
            self._weights = None


class LlamaCppDecoder:
    """Steps any number of branches of several prompts through llama.cpp; see ``Stepper``.

    Args:
        weights: A loaded model.
        prompts: Token ids of each prompt, none empty.
        n: Branches of one prompt at most.
        steps: Tokens of a branch at most.
        vocabulary: Number of tokens of the model.
        threads: Threads to compute with.
    """

    def __init__(
        self, weights: Any, prompts: Sequence[Ids], n: int, steps: int, vocabulary: int, threads: int
    ) -> None:  # fmt: skip
        import llama_cpp

        if not prompts or not all(len(p) for p in prompts):
            raise ValueError("there must be a prompt, and none may be empty")
        if len(prompts) * n > MOST_SEQUENCES:
            raise ValueError(f"{len(prompts)} prompts x {n} are more than the {MOST_SEQUENCES} sequences of llama.cpp")
        self._api = llama_cpp
        self.prompts = [list(p) for p in prompts]
        self._vocabulary = vocabulary
        settings = llama_cpp.llama_context_default_params()
        cells = sum(len(p) for p in self.prompts) + len(prompts) * n * steps
        settings.n_ctx = -(-cells // 256) * 256
        settings.n_seq_max = len(prompts) * n
        settings.n_batch = settings.n_ubatch = _BATCH
        settings.n_threads = settings.n_threads_batch = threads
        settings.kv_unified = True
        settings.no_perf = True
        # The cache in float32, as in the model: 16 bits there turn more decisions than 16-bit weights do.
        settings.type_k = settings.type_v = llama_cpp.GGML_TYPE_F32
        settings.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._context = llama_cpp.llama_init_from_model(weights, settings)
        if not self._context:
            raise MemoryError(f"llama.cpp could not make a context of {settings.n_ctx} tokens")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(_BATCH, 0, 1)
        self._free = list(range(settings.n_seq_max - 1, -1, -1))
        self._sequences: list[int] = []
        """Sequence of each live branch."""
        self._lengths: list[int] = []

    def __del__(self) -> None:
        if getattr(self, "_context", None):
            self._api.llama_batch_free(self._batch)
            self._api.llama_free(self._context)
            self._context = None

    def start(self) -> Tensor:
        """Run the prompts; return the next-token logits, one row per prompt [prompts, vocabulary], float32."""
        self._sequences = [self._free.pop() for _ in self.prompts]
        self._lengths = [len(p) for p in self.prompts]
        entries = [
            (token, position, sequence, position + 1 == len(prompt))
            for prompt, sequence in zip(self.prompts, self._sequences, strict=True)
            for position, token in enumerate(prompt)
        ]
        return self._run(entries)

    def step(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """See ``Stepper.step``."""
        chosen = parents.tolist()
        for sequence in {s for i, s in enumerate(self._sequences) if i not in set(chosen)}:
            self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)
            self._free.append(sequence)
        sequences: list[int] = []
        taken: set[int] = set()
        for parent in chosen:
            sequence = self._sequences[parent]
            if parent in taken:
                # A second continuation shares the cells of the first up to here.
                copy = self._free.pop()
                self._api.llama_memory_seq_cp(self._memory, sequence, copy, 0, self._lengths[parent])
                sequence = copy
            taken.add(parent)
            sequences.append(sequence)
        lengths = [self._lengths[parent] for parent in chosen]
        self._sequences, self._lengths = sequences, [length + 1 for length in lengths]
        return self._run(
            [(token, length, sequence, True) for token, length, sequence
             in zip(tokens.tolist(), lengths, sequences, strict=True)]
        )  # fmt: skip

    def _run(self, entries: list[tuple[int, int, int, bool]]) -> Tensor:
        """Compute (token, position, sequence, whether its logits are wanted); return the wanted rows in order."""
        rows: list[np.ndarray] = []
        batch = self._batch
        for first in range(0, len(entries), _BATCH):
            part = entries[first : first + _BATCH]
            batch.n_tokens = len(part)
            for i, (token, position, sequence, wanted) in enumerate(part):
                batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
                batch.seq_id[i][0], batch.logits[i] = sequence, wanted
            status = self._api.llama_decode(self._context, batch)
            if status != 0:
                raise RuntimeError(f"llama.cpp failed with status {status} on {len(part)} tokens")
            for i, entry in enumerate(part):
                if entry[3]:
                    pointer = self._api.llama_get_logits_ith(self._context, i)
                    rows.append(np.ctypeslib.as_array(pointer, shape=(self._vocabulary,)).copy())
        return torch.from_numpy(np.stack(rows))


class _Described:
    """Stands for the model where only its configuration is read."""

    def __init__(self, config: Any) -> None:
        self.config = config


def _ends(tokenizer: PreTrainedTokenizerBase, config: Any) -> set[int]:
    from rac.generation.local import end_tokens

    return end_tokens(_Described(config), tokenizer)


_silent: Any = None


def _silence() -> None:
    """Send llama.cpp's messages nowhere but to the debug log."""
    global _silent
    import llama_cpp

    if _silent is None:

        def quiet(level: int, text: bytes, _: ctypes.c_void_p) -> None:
            log.debug("llama.cpp %d: %s", level, text.decode(errors="replace").strip())

        # Kept for as long as the library may call it.
        _silent = llama_cpp.llama_log_callback(quiet)
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
