"""What generates for the service: the model in this process, or an OpenAI-compatible server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rac.asking import Wanted
from rac.generation.candidates import GenerationCancelled
from rac.server.batching import Job
from rac.training.memory import give_back_memory

if TYPE_CHECKING:
    from rac.generation.local import LocalGenerator
    from rac.generation.openai import OpenAIGenerator


GIVE_BACK_SECONDS = 10.0
"""How often freed memory is handed back to the system. Batches are of all sizes; what they leave free in between would
add up to more than any of them needs."""


class LocalBackend:
    """Generates batches with a ``LocalGenerator``; the questions are those that it gives for each prompt alone.

    Args:
        generator: The generator.
        give_back_seconds: Shortest time between two times that freed memory is handed back.
    """

    parallel = 1
    batches = True

    def __init__(self, generator: LocalGenerator, *, give_back_seconds: float = GIVE_BACK_SECONDS) -> None:
        self.generator = generator
        self._pause, self._gave_back = give_back_seconds, time.monotonic()

    def check(self, wanted: Wanted) -> None:
        """See ``Backend``."""
        self.generator.check([wanted.prompt.ids])

    def close(self) -> None:
        """Nothing is held."""

    def generate(self, jobs: list[Job]) -> None:
        """See ``Backend``."""
        try:
            self._generate(jobs)
        finally:
            if time.monotonic() - self._gave_back >= self._pause:
                give_back_memory()
                self._gave_back = time.monotonic()

    def _generate(self, jobs: list[Job]) -> None:
        samples = jobs[0].wanted.samples
        # Equal wishes are computed once, for everyone who has them.
        shared: dict[tuple[tuple[int, ...], int], list[Job]] = {}
        for job in jobs:
            shared.setdefault((job.wanted.prompt.ids, job.wanted.seed if samples else 0), []).append(job)
        if not getattr(self.generator, "shares_prompts", False):
            self._plain(list(shared.values()))
            return
        # The longest first, as the decoder wants them.
        ordered = sorted(shared.items(), key=lambda item: (-len(item[0][0]), item[0]))
        self._batch([jobs for _, jobs in ordered])

    def _plain(self, groups: list[list[Job]]) -> None:
        """One wish after the other, for models that cannot share a batch."""
        for jobs in groups:
            wanted = jobs[0].wanted
            if all(job.cancelled for job in jobs):
                continue

            def cancel(jobs: list[Job] = jobs) -> bool:
                return all(job.cancelled for job in jobs)

            prompts = [wanted.prompt.ids]
            try:
                if wanted.samples:
                    found = self.generator.sample(prompts, wanted.samples, seed=wanted.seed, cancel=cancel, label="")[0]
                else:
                    found = self.generator.greedy(prompts, cancel=cancel, label="")
            except GenerationCancelled:
                continue
            texts = [candidate.text for candidate in found]
            for job in jobs:
                if job.on_piece is not None:
                    job.on_piece(texts[0])
                job.deliver(texts)

    def _batch(self, groups: list[list[Job]]) -> None:
        import numpy as np
        import torch

        from rac.generation.candidates import grow
        from rac.generation.sampling import stream

        generator = self.generator
        samples = groups[0][0].wanted.samples
        n = max(1, samples)
        prompts = [jobs[0].wanted.prompt.ids for jobs in groups]
        uniforms = None
        if samples:
            rows = [
                stream(jobs[0].wanted.seed, list(jobs[0].wanted.prompt.ids), c, generator.max_new_tokens)
                for jobs in groups
                for c in range(n)
            ]
            uniforms = torch.from_numpy(np.stack(rows))
        board = _Board(generator, groups, n)
        grow(
            generator.decoder(prompts, n), len(prompts), n, ends=generator.ends,
            max_new_tokens=generator.max_new_tokens, uniforms=uniforms, top_p=0.95 if samples else 1.0,
            on_tokens=board.add, dropped=board.dropped, cancel=board.all_dropped,
        )  # fmt: skip
        board.finish()


class _Board:
    """Follows the branches of a batch: delivers each group's questions when they end, pieces as they grow."""

    def __init__(self, generator: LocalGenerator, groups: list[list[Job]], n: int) -> None:
        self.generator, self.groups, self.n = generator, groups, n
        self.tokens: list[list[int]] = [[] for _ in range(len(groups) * n)]
        self.ended = [False] * len(self.tokens)
        self.shown = [""] * len(groups)

    def add(self, branches: list[int], tokens: list[int]) -> None:
        """Take the new tokens of a step."""
        for branch, token in zip(branches, tokens, strict=True):
            if token in self.generator.ends:
                self.ended[branch] = True
            else:
                self.tokens[branch].append(token)
        for group in sorted({branch // self.n for branch in branches}):
            own = range(group * self.n, (group + 1) * self.n)
            if all(self.ended[b] for b in own):
                self._deliver(group)
            elif self.n == 1:
                self._show(group)

    def dropped(self, branch: int) -> bool:
        """Whether nobody waits for a branch any more."""
        return all(job.cancelled for job in self.groups[branch // self.n])

    def all_dropped(self) -> bool:
        """Whether nobody waits for anything any more."""
        return all(job.cancelled or job.future.done() for jobs in self.groups for job in jobs)

    def finish(self) -> None:
        """Deliver what the length limit cut off; what nobody waits for is left."""
        for group, jobs in enumerate(self.groups):
            if not all(job.cancelled for job in jobs):
                self._deliver(group)

    def _text(self, branch: int) -> str:
        return self.generator.text_of(self.tokens[branch])

    def _show(self, group: int) -> None:
        readers = [job.on_piece for job in self.groups[group] if job.on_piece is not None and not job.cancelled]
        if not readers:
            return
        text = self._text(group)
        # A character of several tokens is shown when it is whole.
        if not text.endswith("\ufffd"):
            self._send(readers, text[len(self.shown[group]) :])
            self.shown[group] = text

    def _deliver(self, group: int) -> None:
        texts = [self._text(b) for b in range(group * self.n, (group + 1) * self.n)]
        readers = [job.on_piece for job in self.groups[group] if job.on_piece is not None and not job.cancelled]
        if readers and not self.groups[group][0].wanted.samples:
            self._send(readers, texts[0][len(self.shown[group]) :])
            self.shown[group] = texts[0]
        for job in self.groups[group]:
            job.deliver([text.strip() for text in texts])

    @staticmethod
    def _send(readers: list[Callable[[str], None]], piece: str) -> None:
        if piece:
            for reader in readers:
                reader(piece)


class OpenAIBackend:
    """Generates on an OpenAI-compatible server, which batches by itself.

    The greedy question is streamed, so that closing the request stops its generation there.

    Args:
        generator: The client; its concurrency is how many requests are under way.
    """

    batches = False

    def __init__(self, generator: OpenAIGenerator) -> None:
        self.generator = generator
        self.parallel = generator.settings.concurrency

    def check(self, wanted: Wanted) -> None:
        """The server knows its own limits."""

    def close(self) -> None:
        """Close the connections."""
        self.generator.close()

    def generate(self, jobs: list[Job]) -> None:
        """See ``Backend``."""
        for job in jobs:
            wanted = job.wanted
            job.deliver(self._sampled(job, wanted) if wanted.samples else [self._streamed(job, wanted)])

    def _sampled(self, job: Job, wanted: Wanted) -> list[str]:
        def cancel() -> bool:
            return job.cancelled

        prompts = [wanted.prompt.messages]
        found = self.generator.sample(prompts, wanted.samples, seed=wanted.seed, cancel=cancel, label="")
        return [candidate.text for candidate in found[0]]

    def _streamed(self, job: Job, wanted: Wanted) -> str:
        """Return the greedy question; tried again after a passing failure as long as nothing has come."""
        from rac.generation.openai_budget import BackendError

        for attempt in range(self.generator.settings.retries + 1):
            pieces: list[str] = []
            stream: Any = self.generator.stream(wanted.prompt.messages)
            try:
                for piece in stream:
                    if job.cancelled:
                        raise GenerationCancelled
                    pieces.append(piece)
                    if job.on_piece is not None:
                        job.on_piece(piece)
                return "".join(pieces).strip()
            except BackendError as error:
                if pieces or not error.retry or attempt == self.generator.settings.retries:
                    raise
                until = time.monotonic() + min(5.0, self.generator.settings.backoff * 2**attempt)
                while time.monotonic() < until:
                    if job.cancelled:
                        raise GenerationCancelled from error
                    time.sleep(0.05)
            finally:
                stream.close()
        raise AssertionError("the last try returns or raises")
