"""Generation in process with llama.cpp, on a GGUF file that is made from the model on first use.

llama.cpp takes the place of the tree decoder under ``LocalGenerator``: it steps the same branches and gives the same
kind of scores, so greedy questions, samples (same random streams, same top-p), streaming and the service's batches work
as before. A prompt is computed once; its branches are sequences that share its cells of the cache. With 16-bit weights
a close decision can turn against float32: see docs/generation.md for how often it does.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
from collections.abc import Callable, Sequence
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
        self._spare: dict[bool, Room] = {}
        # Taken again by a decoder that is collected while it is held.
        self._lock = threading.RLock()
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
        if not prompts or not all(len(p) for p in prompts):
            raise ValueError("there must be a prompt, and none may be empty")
        sequences = len(prompts) * n
        if sequences > MOST_SEQUENCES:
            raise ValueError(f"{len(prompts)} prompts x {n} are more than the {MOST_SEQUENCES} sequences of llama.cpp")
        if n == 1:
            room = self._room(sequences, max(len(p) for p in prompts) + self.max_new_tokens, shared=False)
        else:
            cells = sum(len(p) for p in prompts) + sequences * self.max_new_tokens
            room = self._room(sequences, cells, shared=True)
        return LlamaCppDecoder(room, prompts, self.vocabulary, self._keep)

    def _room(self, sequences: int, cells: int, *, shared: bool) -> Room:
        """Return the room of an earlier decoder if it is large enough, else a new one."""
        with self._lock:
            spare = self._spare.pop(shared, None)
        if spare is not None and spare.sequences >= sequences and spare.cells >= cells:
            return spare
        del spare
        return Room(self._weights, sequences, cells, self.threads, shared=shared)

    def _keep(self, room: Room) -> None:
        """Take back the room of a decoder that is done."""
        with self._lock:
            if self._weights:
                room.clear()
                self._spare[room.shared] = room

    def close(self) -> None:
        """Free the weights."""
        import llama_cpp

        with self._lock:
            self._spare.clear()
            if self._weights:
                llama_cpp.llama_model_free(self._weights)
                self._weights = None


class Room:
    """Keys and values of some sequences in llama.cpp, and the buffers of a step.

    Args:
        weights: A loaded model.
        sequences: How many there may be.
        cells: Tokens of each sequence, or of all together if ``shared``.
        threads: Threads to compute with.
        shared: Whether sequences can share cells, and so a prompt; then every token looks at the cells of all, which
            takes the longer the more prompts there are.
    """

    def __init__(self, weights: Any, sequences: int, cells: int, threads: int, *, shared: bool) -> None:
        import llama_cpp

        self._api = llama_cpp
        self.sequences, self.shared = sequences, shared
        self.cells = -(-cells // 256) * 256
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = self.cells if shared else self.cells * sequences
        settings.n_seq_max = sequences
        settings.n_batch = settings.n_ubatch = _BATCH
        settings.n_threads = settings.n_threads_batch = threads
        settings.kv_unified = shared
        settings.no_perf = True
        # The cache in float32, as in the model: 16 bits there turn more decisions than 16-bit weights do.
        settings.type_k = settings.type_v = llama_cpp.GGML_TYPE_F32
        settings.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = llama_cpp.llama_init_from_model(weights, settings)
        if not self.context:
            raise MemoryError(f"llama.cpp could not make a context of {settings.n_ctx} tokens")
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.batch = llama_cpp.llama_batch_init(_BATCH, 0, 1)

    def clear(self) -> None:
        """Forget all sequences."""
        self._api.llama_memory_clear(self.memory, False)

    def __del__(self) -> None:
        # While the interpreter ends, modules may be gone already; the system takes the memory back.
        if getattr(self, "context", None) and sys is not None and not sys.is_finalizing():
            self._api.llama_batch_free(self.batch)
            self._api.llama_free(self.context)
            self.context = None


class LlamaCppDecoder:
    """Steps any number of branches of several prompts through llama.cpp; see ``Stepper``.

    Args:
        room: Where their keys and values lie; shared if a prompt has several branches.
        prompts: Token ids of each prompt, none empty.
        vocabulary: Number of tokens of the model.
        done: Takes the room back.
    """

    def __init__(
        self, room: Room, prompts: Sequence[Ids], vocabulary: int, done: Callable[[Room], None]
    ) -> None:  # fmt: skip
        import llama_cpp

        self._api = llama_cpp
        self._room, self._done = room, done
        self.prompts = [list(p) for p in prompts]
        self._vocabulary = vocabulary
        self._free = list(range(room.sequences - 1, -1, -1))
        self._sequences: list[int] = []
        """Sequence of each live branch."""
        self._lengths: list[int] = []

    def __del__(self) -> None:
        if (room := getattr(self, "_room", None)) is not None:
            self._done(room)

    def start(self) -> Tensor:
        """Run the prompts; return the next-token logits, one row per prompt [prompts, vocabulary], float32."""
        self._sequences = [self._free.pop() for _ in self.prompts]
        self._lengths = [len(p) for p in self.prompts]
        rows = [
            self._run([(token, i, sequence, i + 1 == len(prompt)) for i, token in enumerate(prompt)])
            for prompt, sequence in zip(self.prompts, self._sequences, strict=True)
        ]
        return torch.cat(rows)

    def step(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """See ``Stepper.step``."""
        chosen = parents.tolist()
        memory = self._room.memory
        for sequence in {s for i, s in enumerate(self._sequences) if i not in set(chosen)}:
            self._api.llama_memory_seq_rm(memory, sequence, -1, -1)
            self._free.append(sequence)
        sequences: list[int] = []
        taken: set[int] = set()
        for parent in chosen:
            sequence = self._sequences[parent]
            if parent in taken:
                # A second continuation shares the cells of the first up to here.
                copy = self._free.pop()
                self._api.llama_memory_seq_cp(memory, sequence, copy, 0, self._lengths[parent])
                sequence = copy
            taken.add(parent)
            sequences.append(sequence)
        lengths = [self._lengths[parent] for parent in chosen]
        self._sequences, self._lengths = sequences, [length + 1 for length in lengths]
        if not self._room.shared:
            self._close_gaps()
        return self._run(
            [(token, length, sequence, True) for token, length, sequence
             in zip(tokens.tolist(), lengths, self._sequences, strict=True)]
        )  # fmt: skip

    def _close_gaps(self) -> None:
        """Move the last sequences into gaps: those that do not follow one another are computed one after the other."""
        live = len(self._sequences)
        gaps = sorted(set(range(live)) - set(self._sequences))
        for branch, sequence in enumerate(self._sequences):
            if sequence >= live:
                gap = gaps.pop()
                self._api.llama_memory_seq_cp(self._room.memory, sequence, gap, -1, -1)
                self._api.llama_memory_seq_rm(self._room.memory, sequence, -1, -1)
                self._free.remove(gap)
                self._free.append(sequence)
                self._sequences[branch] = gap

    def _run(self, entries: list[tuple[int, int, int, bool]]) -> Tensor:
        """Compute (token, position, sequence, whether its logits are wanted); return the wanted rows in order."""
        found: dict[int, np.ndarray] = {}
        batch, context = self._room.batch, self._room.context
        # In the order of the sequences: only such follow one another.
        order = sorted(range(len(entries)), key=lambda i: entries[i][2])
        for first in range(0, len(order), _BATCH):
            part = order[first : first + _BATCH]
            batch.n_tokens = len(part)
            for i, number in enumerate(part):
                token, position, sequence, wanted = entries[number]
                batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
                batch.seq_id[i][0], batch.logits[i] = sequence, wanted
            status = self._api.llama_decode(context, batch)
            if status != 0:
                raise RuntimeError(f"llama.cpp failed with status {status} on {len(part)} tokens")
            for i, number in enumerate(part):
                if entries[number][3]:
                    pointer = self._api.llama_get_logits_ith(context, i)
                    found[number] = np.ctypeslib.as_array(pointer, shape=(self._vocabulary,)).copy()
        return torch.from_numpy(np.stack([found[number] for number in sorted(found)]))


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
