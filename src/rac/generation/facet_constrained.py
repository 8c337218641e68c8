"""Zero-shot questions that must contain given facets: constrained beam search behind fixed question beginnings.

After Wang et al., "Zero-shot Clarifying Question Generation for Conversational Search" (WWW 2023, arXiv 2301.12660):
an untuned model continues question beginnings ("Are you looking for ...") under the constraint that facet words occur,
and the most probable of the finished questions is asked. Differences: the facets are read off the passages
(``templates.facets``) and a question must name all that are given, so that it offers options; where the paper uses
NeuroLogic decoding, the search here keeps beams with every number of facets met, as grid beam search does (Hokamp and
Liu, ACL 2017), and always the one furthest in writing the next; the language model is the recipe's base model with the
usual prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rac.errors import UserError
from rac.generation.candidates import Candidate
from rac.generation.local import Ids, end_tokens
from rac.generation.tree import TreeDecoder, supports_tree
from rac.progress import Progress

BEGINNINGS = ("Are you looking for", "Do you want to know about", "Are you interested in", "Do you mean")
"""How questions may begin."""


@dataclass
class _Beam:
    """One unfinished question of one prompt.

    Attributes:
        prompt: Index of the prompt.
        beginning: Index of the beginning.
        tokens: All tokens, the beginning included.
        logprob: Log-probability of the tokens behind the beginning.
        met: Facets that it contains.
        parent: Its place among the live branches of the decoder.
        writing: The facet that it has begun, whose next token is then forced; None if it is free.
        written: How many tokens of that facet it has.
    """

    prompt: int
    beginning: int
    tokens: list[int]
    logprob: float = 0.0
    met: frozenset[int] = frozenset()
    parent: int = 0
    writing: int | None = None
    written: int = 0

    @property
    def level(self) -> int:
        """Facets met, one that is being written included."""
        return len(self.met) + (self.writing is not None)


class FacetConstrainedGenerator:
    """Asks an untuned model for questions that name given facets.

    Args:
        model: A causal language model in evaluation mode.
        tokenizer: Its tokenizer.
        beginnings: How questions may begin.
        beams: Beams kept for each beginning.
        max_new_tokens: Limit for the tokens of a question, its beginning included.
        max_rows: How many beams grow at the same time.

    Raises:
        UserError: if the model cannot be decoded as a tree.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        beginnings: Sequence[str] = BEGINNINGS,
        beams: int = 4,
        max_new_tokens: int = 48,
        max_rows: int = 64,
    ) -> None:
        if reason := supports_tree(model):
            raise UserError(
                f"facet-constrained decoding needs a model whose cache can branch, and this one's cannot ({reason}): "
                "use a model with full attention, such as the Llama, Qwen, Gemma 1 and Mistral families"
            )
        self.model, self.tokenizer = model, tokenizer
        self.beams, self.max_new_tokens, self.max_rows = beams, max_new_tokens, max_rows
        self._beginnings = [self._ids(text) for text in beginnings]
        if max(map(len, self._beginnings)) + 2 > max_new_tokens:
            raise UserError(
                f"max_new_tokens: {max_new_tokens} leaves no room behind the beginnings of facet-constrained "
                f"questions, which have up to {max(map(len, self._beginnings))} tokens: use more"
            )
        vocabulary = model.get_output_embeddings().weight.shape[0]
        # A token with "?" ends the question; one with a line break, or of spaces alone, may not occur.
        size = min(vocabulary, len(tokenizer))
        pieces = [_readable(piece) for piece in tokenizer.convert_ids_to_tokens(list(range(size)))]
        self._marks = torch.tensor([i for i, piece in enumerate(pieces) if "?" in piece], dtype=torch.long)
        self._ends = {i for i in end_tokens(model, tokenizer) if i < vocabulary}
        banned = {i for i, piece in enumerate(pieces) if "\n" in piece or not piece.strip()} | self._ends
        banned |= set(range(len(pieces), vocabulary)) | {i for i in tokenizer.all_special_ids if i < vocabulary}
        self._banned = torch.tensor(sorted(banned), dtype=torch.long)

    def ask(
        self, prompts: Sequence[Ids], facets: Sequence[Sequence[str]], *, label: str = "asking"
    ) -> list[Candidate]:  # fmt: skip
        """Return a question for each prompt that contains all its facets.

        Args:
            prompts: Token ids of each prompt.
            facets: For each prompt the texts that must occur, in any order; none asks an unconstrained question.
            label: Shown with the progress; "" shows none.

        Returns:
            The most probable finished question of each prompt (mean log-probability per token behind the beginning,
            whose sum is its ``logprob``). If none was finished within the limit, the one with most facets, with
            ``finished`` False.
        """
        if len(prompts) != len(facets):
            raise ValueError(f"{len(prompts)} prompts and {len(facets)} lists of facets: one each is needed")
        found: list[Candidate] = []
        size = max(1, self.max_rows // (self.beams * len(self._beginnings)))
        with Progress(label, len(prompts), unit="prompts", quiet=1.5 if label else math.inf) as progress:
            for first in range(0, len(prompts), size):
                group = [list(p) for p in prompts[first : first + size]]
                wanted = [
                    [self._ids(" " + f.strip()) for f in some if f.strip()] for some in facets[first : first + size]
                ]
                found += self._search(group, wanted)
                progress.advance(len(group))
        return found

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def _search(self, prompts: list[list[int]], facets: list[list[list[int]]]) -> list[Candidate]:
        tree = TreeDecoder(self.model, prompts, len(self._beginnings) * self.beams * self.max_new_tokens)
        tree.start()
        finished: list[list[_Beam]] = [[] for _ in prompts]
        cut: list[list[_Beam]] = [[] for _ in prompts]
        beams = [
            _Beam(p, b, beginning[:1], parent=p)
            for p in range(len(prompts))
            for b, beginning in enumerate(self._beginnings)
        ]
        while beams:
            parents = torch.tensor([b.parent for b in beams])
            scores = tree.step(parents, torch.tensor([b.tokens[-1] for b in beams]))
            for place, beam in enumerate(beams):
                beam.parent = place
            grown = self._expand(beams, scores, facets, finished)
            for beam in grown:
                if len(beam.tokens) == self.max_new_tokens:
                    cut[beam.prompt].append(beam)
            best = [max(map(self._mean, some), default=-torch.inf) for some in finished]
            beams = [
                b
                for b in grown
                if len(b.tokens) < self.max_new_tokens
                and self._may_win(b, best[b.prompt])
            ]  # fmt: skip
        return [self._best(finished[p], cut[p]) for p in range(len(prompts))]

    def _expand(
        self, beams: list[_Beam], scores: Tensor, facets: list[list[list[int]]], finished: list[list[_Beam]]
    ) -> list[_Beam]:
        """Continue every beam by one token and keep the best of each prompt and beginning; add what ends here."""
        logprobs = torch.log_softmax(scores, dim=-1).cpu()
        allowed = logprobs.clone()
        allowed[:, self._banned] = -torch.inf
        allowed[:, self._marks] = -torch.inf
        values, ids = torch.topk(allowed, min(2 * self.beams, allowed.shape[1]))
        groups: dict[tuple[int, int], list[_Beam]] = {}
        for place, beam in enumerate(beams):
            group = groups.setdefault((beam.prompt, beam.beginning), [])
            beginning = self._beginnings[beam.beginning]
            if len(beam.tokens) < len(beginning):
                group.append(replace(beam, tokens=beginning[: len(beam.tokens) + 1]))
                continue
            wanted = facets[beam.prompt]
            if beam.writing is not None:
                token = wanted[beam.writing][beam.written]
                group.append(self._grow(beam, token, float(logprobs[place, token]), wanted, beam.writing))
                continue
            if len(beam.met) == len(wanted):
                # A question that has all it needs may always end here; it takes no place from those that go on.
                mark = int(self._marks[logprobs[place, self._marks].argmax()])
                finished[beam.prompt].append(self._grow(beam, mark, float(logprobs[place, mark]), wanted))
            for token, value in zip(ids[place].tolist(), values[place].tolist(), strict=True):
                if value > -torch.inf:
                    group.append(self._grow(beam, token, value, wanted))
            for number, facet in enumerate(wanted):
                if number not in beam.met:
                    token = facet[_progress(beam.tokens, facet)]
                    group.append(self._grow(beam, token, float(logprobs[place, token]), wanted, number))
        kept: list[_Beam] = []
        for _, group in sorted(groups.items()):
            kept += self._prune(group)
        return kept

    def _grow(
        self, beam: _Beam, token: int, logprob: float, wanted: list[list[int]], writing: int | None = None
    ) -> _Beam:
        """Append a token; ``writing`` is the facet that it belongs to, if it was chosen for that."""
        tokens = [*beam.tokens, token]
        met = beam.met | {j for j, f in enumerate(wanted) if tokens[-len(f) :] == f}
        writing = None if writing in met else writing
        written = 0 if writing is None else _progress(tokens, wanted[writing])
        return _Beam(
            beam.prompt, beam.beginning, tokens, beam.logprob + logprob, frozenset(met), beam.parent, writing, written
        )

    def _prune(self, group: list[_Beam]) -> list[_Beam]:
        """Keep beams in turns from each bank (number of facets met or being written, most first).

        The first of the top bank is the one furthest in writing, so that facets are written to their end however
        improbable they are; all others are the most probable of their bank.
        """
        unique = {tuple(b.tokens): b for b in sorted(group, key=lambda b: (b.written, b.logprob))}
        banks: dict[int, list[_Beam]] = {}
        for beam in sorted(unique.values(), key=lambda b: (-b.logprob, b.tokens)):
            banks.setdefault(beam.level, []).append(beam)
        top = banks[max(banks)]
        furthest = max(top, key=lambda b: (len(b.met), b.written, b.logprob))
        top.remove(furthest)
        top.insert(0, furthest)
        kept: list[_Beam] = []
        while banks and len(kept) < self.beams:
            for level in sorted(banks, reverse=True):
                if banks[level]:
                    kept.append(banks[level].pop(0))
                if not banks[level]:
                    del banks[level]
                if len(kept) == self.beams:
                    break
        return sorted(kept, key=lambda b: b.parent)

    def _may_win(self, beam: _Beam, best: float) -> bool:
        """Whether a beam could still beat the best finished one, if all its tokens to come were certain."""
        return beam.logprob / (self.max_new_tokens - len(self._beginnings[beam.beginning])) > best

    def _mean(self, beam: _Beam) -> float:
        return beam.logprob / max(1, len(beam.tokens) - len(self._beginnings[beam.beginning]))

    def _best(self, finished: list[_Beam], cut: list[_Beam]) -> Candidate:
        best = max(finished or cut, key=lambda b: (len(b.met), self._mean(b)))
        text = self.tokenizer.decode(best.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Candidate(str(text).strip(), best.tokens, best.logprob, bool(finished))


def _readable(piece: str) -> str:
    """Return a token's text as far as it matters here: how tokenizers write spaces and line breaks."""
    for written, meant in (("\u0120", " "), ("\u2581", " "), ("\u010a", "\n"), ("<0x0A>", "\n")):
        piece = piece.replace(written, meant)
    return piece


def _progress(tokens: Sequence[int], facet: Sequence[int]) -> int:
    """Return how many tokens of the facet's beginning the question ends with (not the whole facet)."""
    for length in range(min(len(tokens), len(facet) - 1), 0, -1):
        if list(tokens[-length:]) == list(facet[:length]):
            return length
    return 0
