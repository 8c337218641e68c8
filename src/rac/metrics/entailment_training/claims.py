"""Labelled claims of passages: supported ones, and altered ones that the passage does not carry."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rac.metrics.entailment_training.alterations import alterations
from rac.metrics.entailment_training.attributes import ALL_ATTRIBUTES, attributes
from rac.metrics.entailment_training.facets import Facet, keys_of, passage_facets, short_title, word_claim
from rac.metrics.entailment_training.phrases import word_set
from rac.metrics.entailment_training.rewording import reword
from rac.metrics.entailment_training.vocabulary import Vocabulary
from rac.metrics.entailment_windows import windows
from rac.records import Passage

GENERIC_TYPES = word_set(
    """person agent location thing work topic subject group organism organization employer content product structure
    competitor nominee entity project object performer politician city place region area type kind concept term
    set part form field study process"""
)
"""Types that are true of many things whose passage does not say so; never used as false ones."""
KIND_WEIGHTS = {
    "near-number": 8.0, "far-number": 3.0, "place": 5.0, "type": 4.0, "name": 3.0, "sibling": 2.0, "donor": 1.5,
    "noun": 1.5, "other-window": 1.0, "other-title": 0.8, "negation": 1.0,
}  # fmt: skip
"""How likely a kind is where a facet allows several: those that few facets allow would be rare otherwise."""
NUMBERS_FIRST = 0.35
"""How often a facet with a number is preferred: a near number is the alteration that is hardest to see."""
REWORDED = 0.25
LAST_WORD_TITLE = 0.2


@dataclass(frozen=True)
class LabelledClaim:
    """A claim and whether ``passage`` supports it; ``premise`` is the window that it was made from or for."""

    passage: Passage
    premise: str
    hypothesis: str
    supported: bool
    kind: str
    source: str


@dataclass(frozen=True)
class _Window:
    passage: Passage
    premise: str
    facets: list[Facet]
    keys: frozenset[str]


class ClaimMaker:
    """Makes labelled claims of a set of passages.

    Args:
        passages: What claims are about.
        siblings: Passages of the same title (or otherwise easily mistaken), by passage id.
        gold: Facets that people wrote for a passage, by passage id; kept where the passage has their words.
        vocabulary: Replacements for altered claims.
        source: Name of the passages' origin, for tables.
        seed: Seed of every choice.
    """

    def __init__(
        self, passages: Sequence[Passage], siblings: Mapping[str, Sequence[Passage]], gold: Mapping[str, Sequence[str]],
        vocabulary: Vocabulary, source: str, seed: int,
    ) -> None:  # fmt: skip
        self._rng = random.Random(f"claims-{source}-{seed}")
        self._vocabulary, self._source = vocabulary, source
        self._keys: dict[str, frozenset[str]] = {}
        self._windows: list[_Window] = []
        self._by_passage: dict[str, list[_Window]] = {}
        self._by_form: dict[str, list[Facet]] = {}
        for passage in passages:
            self._keys[passage.id] = keys_of(
                " ".join([passage.title, *passage.types, passage.description, passage.text])
            )
            for premise in windows(passage):
                window = self._make_window(passage, premise, gold.get(passage.id, ()))
                self._windows.append(window)
                self._by_passage.setdefault(passage.id, []).append(window)
                for facet in window.facets:
                    self._by_form.setdefault(facet.form, []).append(facet)
        self._siblings = {
            p.id: [w for s in siblings.get(p.id, ()) for w in self._by_passage.get(s.id, [])] for p in passages
        }

    def _make_window(self, passage: Passage, premise: str, gold: Sequence[str]) -> _Window:
        body = premise.partition("): ")[2] or premise.partition(": ")[2]
        keys = keys_of(premise)
        facets = [
            f for f in passage_facets(passage, body, self._rng) if f.form == "attribute" or keys_of(f.text) <= keys
        ]
        facets += [Facet("type", g, (("type", g),)) for g in gold if keys_of(g) and keys_of(g) <= keys]
        return _Window(passage, premise, facets, keys)

    def make(self, kinds: Iterable[str], *, per_window: int, limit: int | None = None) -> list[LabelledClaim]:
        """Return claims, about as many altered as supported ones, in a shuffled order.

        Args:
            kinds: Alteration kinds to use.
            per_window: Facets used of each window, each once as it is and once altered.
            limit: Most claims returned.
        """
        wanted = list(kinds)
        made: list[LabelledClaim] = []
        order = list(self._windows)
        self._rng.shuffle(order)
        for window in order:
            for facet in self._choose(window, per_window):
                made += self._pair(window, facet, wanted)
            if limit is not None and len(made) >= limit:
                break
        self._rng.shuffle(made)
        return made

    def _choose(self, window: _Window, count: int) -> list[Facet]:
        """Choose facets by form first, so that the many topics do not crowd out the few types and phrases."""
        by_form: dict[str, list[Facet]] = {}
        for facet in window.facets:
            by_form.setdefault(facet.form, []).append(facet)
        weights = {"type": 5, "phrase": 5, "topic": 3, "attribute": 2, "clause": 2}
        chosen: list[Facet] = []
        for _ in range(count):
            forms = [f for f in by_form if by_form[f]]
            if not forms:
                break
            form = self._rng.choices(forms, [weights[f] for f in forms])[0]
            numbered = [f for f in by_form[form] if any(slot in ("year", "number") for slot, _ in f.parts)]
            facet = self._rng.choice(numbered if numbered and self._rng.random() < NUMBERS_FIRST else by_form[form])
            by_form[form].remove(facet)
            chosen.append(facet)
        return chosen

    def _title(self, passage: Passage) -> str:
        title = short_title(passage.title)
        if " " in title and self._source != "claqua" and self._rng.random() < LAST_WORD_TITLE:
            return title.split()[-1]
        return title

    def _pair(self, window: _Window, facet: Facet, kinds: list[str]) -> list[LabelledClaim]:
        rng = self._rng
        title = self._title(window.passage)
        text, decade = facet.text, rng.random() < 0.15
        if rng.random() < REWORDED or decade:
            text = reword(text, rng, decade=decade)
        claim, template = word_claim(Facet(facet.form, text), title, rng)
        made = [LabelledClaim(window.passage, window.premise, claim, True, "supported", self._source)]
        altered = self._altered(window, facet, title, template, kinds)
        if altered:
            kind, false = rng.choices(altered, [KIND_WEIGHTS.get(k, 3.0) for k, _ in altered])[0]
            made.append(LabelledClaim(window.passage, window.premise, false, False, kind, self._source))
        if facet.form == "type" and "not-type" in kinds and rng.random() < 0.12:
            made += self._not_type(window, facet, title)
        return made

    def _false(self, window: _Window, text: str, title: str) -> bool:
        """Whether ``text`` says something that the window's passage nowhere says (by words, so not surely false)."""
        return bool(keys_of(text) - self._keys[window.passage.id] - keys_of(title))

    def _altered(
        self, window: _Window, facet: Facet, title: str, template: str, kinds: list[str]
    ) -> list[tuple[str, str]]:
        rng = self._rng
        found: list[tuple[str, str]] = []

        def add(kind: str, text: str, name: str = title) -> None:
            if rng.random() < REWORDED and kind != "near-number":
                text = reword(text, rng, decade=kind == "far-number" and rng.random() < 0.5)
            found.append((kind, word_claim(Facet(facet.form, text), name, rng, template)[0]))

        if facet.form != "attribute":
            for kind, altered in alterations(facet, self._vocabulary, rng, kinds):
                if self._false(window, altered.text, title) and altered.text.lower() not in GENERIC_TYPES:
                    add(kind, altered.text)
        if facet.form == "attribute":
            if "attribute" in kinds:
                spoken = set(attributes(f"{window.premise} {window.passage.text}"))
                other = rng.choice([i for i in range(len(ALL_ATTRIBUTES)) if i not in spoken])
                add("attribute", rng.choice(ALL_ATTRIBUTES[other]))
        else:
            found += self._borrowed(window, facet, title, template, kinds)
        if "negation" in kinds and facet.form in ("type", "phrase") and " is " in template and rng.random() < 0.25:
            claim = word_claim(facet, title, rng, template.replace(" is ", " is not ", 1))[0]
            found.append(("negation", claim))
        if "other-title" in kinds and facet.form in ("type", "phrase") and "{T}" in template:
            stranger = rng.choice(self._windows).passage
            if not keys_of(stranger.title) & window.keys:
                found.append(("other-title", word_claim(facet, short_title(stranger.title), rng, template)[0]))
        return found

    def _borrowed(
        self, window: _Window, facet: Facet, title: str, template: str, kinds: list[str]
    ) -> list[tuple[str, str]]:
        """Facets of other windows, siblings and strangers, worded like this one."""
        rng = self._rng
        found: list[tuple[str, str]] = []
        sources: list[tuple[str, list[Facet]]] = []
        if "donor" in kinds:
            sources.append(("donor", [rng.choice(self._by_form[facet.form]) for _ in range(3)]))
        siblings = self._siblings[window.passage.id]
        if "sibling" in kinds and siblings:
            sources.append(("sibling", rng.choice(siblings).facets))
        for kind, facets in sources:
            fitting = [
                f
                for f in facets
                if f.form == facet.form and self._false(window, f.text, title) and f.text.lower() not in GENERIC_TYPES
            ]
            if fitting:
                text = rng.choice(fitting).text
                if rng.random() < REWORDED:
                    text = reword(text, rng)
                found.append((kind, word_claim(Facet(facet.form, text), title, rng, template)[0]))
        if "other-window" in kinds:
            rest = [w for w in self._by_passage[window.passage.id] if w is not window]
            fitting = [f for w in rest for f in w.facets if f.form == facet.form and keys_of(f.text) - window.keys]
            if fitting:
                found.append(("other-window", word_claim(rng.choice(fitting), title, rng, template)[0]))
        if "recombined" in kinds and siblings and facet.form == "type":
            others = [
                f for f in rng.choice(siblings).facets if f.form == "phrase" and self._false(window, f.text, title)
            ]
            if others:
                joined = Facet("type", f"{facet.text} {rng.choice(others).text}")
                found.append(("recombined", word_claim(joined, title, rng, template)[0]))
        return found

    def _not_type(self, window: _Window, facet: Facet, title: str) -> list[LabelledClaim]:
        """A NOT-TYPE claim that holds (the type is nowhere in the passage) or one that does not."""
        rng = self._rng
        if rng.random() < 0.5:
            type_ = self._vocabulary.sibling_type(facet.text, rng)
            if not self._false(window, type_, title) or type_ in GENERIC_TYPES:
                return []
            claim = word_claim(Facet("not-type", type_), title, rng)[0]
            return [LabelledClaim(window.passage, window.premise, claim, True, "supported", self._source)]
        claim = word_claim(Facet("not-type", facet.text), title, rng)[0]
        return [LabelledClaim(window.passage, window.premise, claim, False, "not-type", self._source)]


def siblings_by_topic(passages: Sequence[Passage], *, most: int = 6) -> dict[str, list[Passage]]:
    """Return passages easily mistaken for each other: same topic and same head word of the description.

    For a corpus without ambiguous names; a passage has at most ``most`` siblings, its neighbours in the order given.
    """
    groups: dict[tuple[str, str], list[Passage]] = {}
    for passage in passages:
        words = passage.description.split()
        groups.setdefault((str(passage.meta.get("topic", "")), words[0].lower() if words else ""), []).append(passage)
    found: dict[str, list[Passage]] = {}
    for group in groups.values():
        for i, passage in enumerate(group):
            near = group[max(0, i - most // 2) : i + most // 2 + 1]
            found[passage.id] = [p for p in near if p.id != passage.id]
    return found
