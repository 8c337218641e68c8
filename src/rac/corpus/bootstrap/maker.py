"""Makes the example of one query: which retrieved passages the options name, questions, rewordings, faulty twins."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from rac.corpus.bootstrap.case import words
from rac.corpus.bootstrap.clusters import clusters
from rac.corpus.bootstrap.facets import choose_facets, is_supported
from rac.corpus.bootstrap.faults import FaultMaker
from rac.corpus.bootstrap.subjects import Subject, is_part, says_nothing
from rac.corpus.bootstrap.terms import Term
from rac.corpus.bootstrap.wording import TypedQuery, Wording, write_questions
from rac.corpus.bootstrap_settings import Bootstrap
from rac.corpus.documents import prose
from rac.corpus.splitting import sentences
from rac.records import ClarificationExample, Passage, PreferencePair

Check = Callable[[str, str, Sequence[Passage]], str]
"""Judges (question, query, D) and returns "" if the question is accepted, else the reason why it is not."""


Reword = Callable[[Sequence[tuple[str, str, Sequence[Passage]]]], Sequence[str]]
"""Says questions in other words: given (question, query, D) of several, returns their new wordings in order, "" where
there is none. What it returns is checked like any other question."""

CLUSTER_DEPTH = 12
NEAR_DUPLICATE = 0.8
"""Two passages whose words overlap more than this (Jaccard) are one option, not two."""


class ExampleMaker:
    """Makes one example at a time and counts why others are not made."""

    def __init__(
        self, subjects: Sequence[Subject], settings: Bootstrap, seed: int, check: Check | None, reword: Reword | None
    ) -> None:
        self.examples: dict[str, ClarificationExample] = {}
        self.retrieved: dict[str, set[str]] = {}
        self.documents: dict[str, set[str]] = {}
        self.pairs: list[PreferencePair] = []
        self.counts: Counter[str] = Counter()
        self._new: list[tuple[Wording, str, Sequence[Passage]]] = []
        self._subjects, self._settings, self._seed = subjects, settings, seed
        self._check, self._reword = check, reword
        self._row_of = {s.id: row for row, s in enumerate(subjects)}
        self._faults = FaultMaker(subjects) if settings.faults_per_example else None

    def add(self, term: Term, query: TypedQuery, d: Sequence[Passage]) -> int:
        """Make the example of one query if there is one; return how many were made (0 or 1)."""
        self.counts["queries tried"] += 1
        if query.text.lower() in self.examples:
            self.counts["queries left out: asked before"] += 1
            return 0
        made = self._make(term, query, d)
        if isinstance(made, str):
            self.counts[f"queries left out: {made}"] += 1
            return 0
        self.examples[query.text.lower()] = made
        self.retrieved[made.id] = {p.id for p in d[: self._settings.top_k]}
        self.documents[made.id] = {self._subjects[self._row_of[p]].document or p for p in made.passage_ids}
        return 1

    def _make(self, term: Term, query: TypedQuery, d: Sequence[Passage]) -> ClarificationExample | str:
        self.counts["hits that are not in the corpus"] += sum(p.id not in self._row_of for p in d)
        deep, d = d, d[: self._settings.top_k]
        relevant = self._clustered(term, deep) if term.kind == "cluster" else self._relevant(term, d)
        if len(relevant) < 2:
            return "fewer than two passages of the term retrieved"
        offered = _without_near_duplicates(relevant)[: self._settings.options]
        if len(offered) < 2:
            return "passages are near duplicates"
        subjects = [self._subjects[row] for row, _ in offered]
        if _only_one_is_meant(subjects, term):
            return "one section is called just so, and the others only have the word in their headings"
        chosen = choose_facets(
            subjects, query.term, of_class=term.kind == "class", of_text=term.kind in ("mention", "cluster")
        )
        if isinstance(chosen, str):
            return chosen
        facets = [replace(facet, passage_id=p.id) for facet, (_, p) in zip(chosen, offered, strict=True)]
        if not all(is_supported(facet, p) for facet, (_, p) in zip(facets, offered, strict=True)):
            return "an option is not in the retrieved part of its document"
        rng = random.Random(f"{self._seed} questions {query.text}")
        written = write_questions(facets, query.term, term, self._settings.questions_per_example, rng)
        accepted = [wording for wording in written if self._accepted(wording.text, query.text, d)]
        if not accepted:
            return "no question passed the check"
        identity = f"{term.kind}:{term.key}:{len(self.examples)}".replace(" ", "_")
        self._add_pairs(identity, query.text, accepted, d, rng)
        if self._reword:
            self._new.extend((wording, query.text, d) for wording in accepted)
        return ClarificationExample(
            id=identity,
            query=query.text,
            questions=tuple(wording.text for wording in accepted),
            passage_ids=tuple(f.passage_id for f in facets),
            facets=tuple(f.appositive() for f in facets),
            group=term.key,
            meta={"kind": term.kind, "form": query.form, "term": query.term},
        )

    def _relevant(self, term: Term, d: Sequence[Passage]) -> list[tuple[int, Passage]]:
        """Return the passages of D that the term may mean, with the rows of their documents, each document once."""
        found: dict[int, Passage] = {}
        for passage in d:
            row = self._row_of.get(passage.id, -1)
            if row < 0:
                continue
            first = row if self._subjects[row].part_of < 0 else self._subjects[row].part_of
            subject = self._subjects[first]
            if term.kind == "topic" and says_nothing(subject.name):
                continue
            if term.kind == "mention" and not _is_about(passage, term.text, row == first):
                continue
            if subject.name and (first in term.rows or _is_named(subject, term)):
                found.setdefault(first, passage)
        # A name alone says little: passages without a description are offered only if too few have one.
        described = [(row, passage) for row, passage in found.items() if self._subjects[row].phrase]
        return described if len(described) >= 2 else list(found.items())

    @property
    def depth(self) -> int:
        """How many passages to retrieve for a query: those of D, and more if it is to be seen how they cluster."""
        return max(self._settings.top_k, CLUSTER_DEPTH)

    def _clustered(self, term: Term, deep: Sequence[Passage]) -> list[tuple[int, Passage]]:
        """Return one passage of D for each cluster that what is retrieved for a word falls into, if there are several.

        Only passages that use the word count; a cluster needs two of them, so that one odd passage is no meaning.
        """
        using = [
            p
            for p in deep
            if term.key in {w.lower() for w in words(p.text)}
            and (row := self._row_of.get(p.id)) is not None
            and _is_about(p, term.text, self._subjects[row].part_of < 0)
        ]
        found: list[tuple[int, Passage]] = []
        for members in clusters(using, term.key):
            best = next((p for p in members if p in deep[: self._settings.top_k]), None)
            if best is None or len(members) < 2:
                continue
            row = self._row_of[best.id]
            first = row if self._subjects[row].part_of < 0 else self._subjects[row].part_of
            if self._subjects[first].name:
                found.append((first, best))
        return found

    def _accepted(self, question: str, query: str, d: Sequence[Passage]) -> bool:
        self.counts["questions written"] += 1
        reason = self._check(question, query, d) if self._check else ""
        if reason:
            self.counts[f"questions left out: {reason}"] += 1
        return not reason

    def reword_new(self) -> None:
        """Reword the questions of the examples made since the last call; those that lose something stay as they are."""
        if self._reword is None or not self._new:
            return
        new, self._new = self._new, []
        texts = self._reword([(wording.text, query, d) for wording, query, d in new])
        if len(texts) != len(new):
            raise ValueError(f"reword was given {len(new)} questions and returned {len(texts)}")
        for (wording, query, d), text in zip(new, texts, strict=True):
            other = " ".join(text.split())
            if reason := self._lost(other, wording, query, d):
                self.counts[f"rewordings left out: {reason}"] += 1
                continue
            self.counts["rewordings used"] += 1
            example = self.examples[query.lower()]
            questions = (other if question == wording.text else question for question in example.questions)
            changed = {"questions": tuple(dict.fromkeys(questions))}
            self.examples[query.lower()] = example.model_copy(update=changed)

    def _lost(self, other: str, wording: Wording, query: str, d: Sequence[Passage]) -> str:
        if not other:
            return "no answer"
        kept = [f.attribute if wording.form == "attribute" else f.name for f in wording.facets]
        if not other.endswith("?") or any(part.lower() not in other.lower() for part in kept):
            return "an option or the question mark is missing"
        return self._check(other, query, d) if self._check else ""

    def _add_pairs(
        self, identity: str, query: str, accepted: Sequence[Wording], d: Sequence[Passage], rng: random.Random
    ) -> None:
        if self._faults is None:
            return
        wording = accepted[0]
        faults = self._faults.make(wording, d, self._settings.faults_per_example, rng)
        if not faults:
            self.counts["examples without a faulty twin"] += 1
            return
        self.counts.update(f"faults: {fault.kind}" for fault in faults)
        self.pairs.append(
            PreferencePair(
                id=f"{identity}:faults",
                example_id=identity,
                query=query,
                passages=tuple(d),
                chosen=wording.text,
                rejected=faults[0].question,
                more_rejected=tuple(fault.question for fault in faults[1:]),
                chosen_kind="gold",
                rejected_kinds=tuple(f"edited-gold: {fault.kind}" for fault in faults),
            )
        )


def _is_about(passage: Passage, word: str, begins: bool) -> bool:
    """Whether a part of a document says something about a word: more than once, at its beginning or as its heading.

    A word in an example, in code or in a table is no matter that the section is about, and nor is a name further down,
    which mostly belongs to an example. Passages that are no part of a document are short, and count as they are.

    Args:
        passage: The part.
        word: As the corpus writes it.
        begins: Whether the section begins with it.
    """
    if not is_part(passage):
        return True
    text = prose(passage)
    first = text[: next(iter(sentences(text)), (0, 0))[1]] if begins else ""
    at_once, used = ([w.rstrip(".") for w in words(part.lower())] for part in (f"{first} {passage.title}", text))
    return word.lower() in at_once or (word.islower() and used.count(word) > 1)


def _only_one_is_meant(subjects: Sequence[Subject], term: Term) -> bool:
    """Whether "selectors" is typed, where one section is "Selectors" and the others are "Pseudo Selectors" and such."""
    called = sum(subject.name.lower() == term.key for subject in subjects)
    of_sections = any(subject.contexts for subject in subjects)
    return of_sections and called == 1 and term.kind in ("homonym", "name", "phrase", "acronym")


def _is_named(subject: Subject, term: Term) -> bool:
    """Whether the heading of a section has the words of a term in a row, so that it is meant as well."""
    if not subject.contexts or term.kind not in ("homonym", "name", "phrase", "acronym"):
        return False
    return f" {' '.join(words(term.key))} " in f" {' '.join(words(subject.name.lower()))} "


def _without_near_duplicates(found: Sequence[tuple[int, Passage]]) -> list[tuple[int, Passage]]:
    """Return those that are not nearly the same text as an earlier one."""
    kept: list[tuple[int, Passage, set[str]]] = []
    for row, passage in found:
        own = {w.lower() for w in words(passage.text)}
        if all(len(own & other) <= NEAR_DUPLICATE * len(own | other) or not own for _, _, other in kept):
            kept.append((row, passage, own))
    return [(row, passage) for row, passage, _ in kept]
