"""What every passage of a corpus is about: its name, a short description, and words by which it may be asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from rac.corpus.bootstrap.case import DEMONYM, CaseModel, words
from rac.corpus.bootstrap.phrases import NounPhrase, count_heads, description_of, noun_phrase, without_parenthesis
from rac.corpus.documents import prose
from rac.records import Passage

CASE_SAMPLE = 20_000
"""Passages whose text is read to learn which words are written small; more would only cost memory."""

_YEARS = re.compile(
    r"\(((?:born )?(?:c\. ?)?\d{3,4}(?:/\d+)?(?:\s?[–-]\s?(?:c\. ?)?\d{2,4}(?:/\d+)?)?(?: BCE?| AD| CE)?)\)"
)
_NAME_MAXIMUM = 80
_LONGEST_HEADING = 9
_LONGEST_CONTEXT = 8
_EMPTY_WORDS = (
    "overview introduction description detail details note notes example examples usage see also summary "
    "background general other miscellaneous synopsis name content contents reference references further reading "
    "related read motivation options rationale questions results discussion appendix basics conclusion step "
    "steps next part more how it works what is this about author authors acknowledgments acknowledgements "
    "credits licence license copyright todo module submodules the a of and to in"
)
_SAYS_NOTHING = frozenset(_EMPTY_WORDS.split())
_ASKING_WORDS = "how what when where which who why can does do is are should if"
ASKING = frozenset(_ASKING_WORDS.split())
"""What headings that are clauses begin with."""
PREPOSITIONS = frozenset(("in", "on", "from", "with", "inside", "outside", "at", "by", "for", "to", "under"))
_CODE = re.compile(r"#\[|[={}]|->|\[\w+\(")
_FINITE = frozenset(("is", "are", "was", "were", "has", "have", "can", "should", "must", "will", "do", "does"))
_NUMBERING = re.compile(r"^(?:\d+(?:\.\d+)*[.)]? +|[IVX]+[.)] +|\.\.\.\s*|…\s*)?(?:[-–>*•:] +)?")
_SUBTITLE = re.compile(r"^([^:]{4,}): ")


@dataclass(frozen=True)
class Subject:
    """What a passage is about; small, so that a corpus of millions of passages fits into memory.

    Attributes:
        id: Id of the passage.
        name: Title without parentheses; "" if there is none, or if an earlier passage of the same document has it.
        article: The text calls it "the NAME".
        phrase: Short noun phrase of the description, None if it has none that can be used.
        years: Years of life as the description gives them ("1841–1919"), "" if it does not.
        acronyms: Abbreviations that the name carries, or that spell the name and stand in the text.
        common: Words of the name that the corpus uses as common words ("Silent" and "film" of "Silent film").
        modifiers: Those of them that are no nouns either.
        part_of: Row of the first passage of the same document or section, -1 if this is the first.
        contexts: For a section of a document: what stands above its heading, nearest first ("Deploying", "Flask").
        document: What splits keep together: the document of a section, else the passage.
    """

    id: str
    name: str
    article: bool = False
    phrase: NounPhrase | None = None
    years: str = ""
    acronyms: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ()
    part_of: int = -1
    contexts: tuple[str, ...] = ()
    document: str = ""

    @property
    def person(self) -> bool:
        """Whether the description gives years of life."""
        return bool(self.years)

    @property
    def ends_common(self) -> bool:
        """Whether the name ends in a common noun ("Meteor shower")."""
        return words(self.name)[-1:] != [] and words(self.name)[-1] in self.common


@dataclass(frozen=True)
class Reading:
    """What was read of a corpus.

    Attributes:
        subjects: One per passage, in the order of the passages.
        mentions: Words that the texts of a few documents use -> the rows of these documents' first passages; names and
            words that end a title only, since any other word would be no topic.
        common: Words of that sort that more documents use, but no more than one in twenty; without rows.
    """

    subjects: list[Subject]
    mentions: dict[str, tuple[int, ...]]
    common: dict[str, tuple[int, ...]] = field(default_factory=dict)


def read_corpus_subjects(passages: Iterable[Passage], most_mentions: int = 8) -> Reading:
    """Read off every passage what it is about; the texts are read once and not kept.

    Args:
        passages: The corpus.
        most_mentions: Most documents that may use a word for it to be in ``Reading.mentions``.
    """
    read: list[tuple[Subject, str]] = []
    stream = iter(passages)
    sample = list(islice(stream, CASE_SAMPLE))
    case = CaseModel(prose(p) for p in sample)
    first_rows: dict[tuple[str, str, str], int] = {}
    mentions = _Mentions(most_mentions)
    for batch in (sample, stream):
        for passage in batch:
            document = (passage.source, passage.title, passage.description if _headings(passage) else "")
            first = first_rows.setdefault(document, len(read))
            description = "" if _headings(passage) else description_of(passage)
            read.append((_subject(passage, description, first if first != len(read) else -1), description))
            mentions.add(prose(passage), first)
    heads: Counter[str] = count_heads(description for _, description in read)
    subjects = []
    for subject, description in read:
        phrase = noun_phrase(description, heads)
        if phrase:
            phrase = NounPhrase(case.lowered(phrase.short), case.lowered(phrase.long))
        common = tuple(word for word in words(subject.name) if case.is_common(word))
        modifiers = tuple(word for word in common if not case.is_noun(word))
        subjects.append(replace(subject, phrase=phrase, common=common, modifiers=modifiers))
    subjects = _with_telling_contexts(subjects, most_mentions)
    few, many = mentions.found(subjects, case)
    return Reading(subjects, few, many)


class _Mentions:
    """Which documents use a word, for words that few use; memory grows with the vocabulary, not with the corpus."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: dict[str, list[int]] = {}
        self._count: Counter[str] = Counter()
        self._passages = 0

    def add(self, text: str, row: int) -> None:
        self._passages += 1
        for word in sorted({word.rstrip(".") for word in words(text)}):
            self._count[word] += 1
            rows = self._rows.setdefault(word, [])
            if len(rows) <= self._most and row not in rows:
                rows.append(row)

    def found(
        self, subjects: Sequence[Subject], case: CaseModel
    ) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
        """Return (words of a few documents with their rows, words of many documents without)."""
        ends = {words(s.name)[-1].lower() for s in subjects if words(s.name)}
        kept: dict[str, tuple[int, ...]] = {}
        many: dict[str, tuple[int, ...]] = {}
        for word, rows in sorted(self._rows.items()):
            common = case.is_common(word)
            name = word[0].isupper() and word[1:].islower() and case.is_name(word)
            topic = word.lower() in ends and case.is_noun(word) if common else name
            if len(word) <= 3 or not word.isalpha() or not topic or (not common and DEMONYM.search(word)):
                continue
            if 2 <= len(rows) <= self._most:
                kept[word] = tuple(sorted(rows))
            elif len(rows) > self._most and common and self._count[word] * 20 <= self._passages:
                many[word] = ()
        return kept, many


def _subject(passage: Passage, description: str, part_of: int) -> Subject:
    # Parts of one document have its title in common; that makes the title no ambiguous name.
    name = without_parenthesis(passage.title) if part_of < 0 else ""
    if _headings(passage):
        name = "" if _CODE.search(passage.title) else heading_name(name)
    if len(name) > _NAME_MAXIMUM:
        name = ""
    years = _YEARS.search(description)
    article = (
        len(name.split()) > 1
        and not name.startswith(("The ", "A ", "An "))
        and passage.text.startswith(f"The {name} ")
        and all(w[0].isupper() or len(w) < 4 for w in words(name))
    )
    acronyms = find_acronyms(name, passage.text)
    return Subject(
        passage.id, name, article, None, years[1] if years else "", acronyms, part_of=part_of,
        contexts=_contexts(passage), document=document_of(passage),
    )  # fmt: skip


def document_of(passage: Passage) -> str:
    """Return what a passage is a part of: its document, or itself."""
    return passage.source if is_part(passage) else passage.id


def is_part(passage: Passage) -> bool:
    """Whether a passage is a document of a file, or a part of one."""
    return bool(passage.source) and f"{passage.id}#".startswith(f"{passage.source}#")


def _headings(passage: Passage) -> list[str]:
    """Return the headings down to a section's own, [] if the passage is no section."""
    headings = passage.meta.get("headings")
    return [h for h in headings if isinstance(h, str)] if isinstance(headings, list) else []


def _contexts(passage: Passage) -> tuple[str, ...]:
    """Return what tells a section from one of the same name: the heading above and the title of its document."""
    headings = _headings(passage)
    if len(headings) < 2:
        return ()
    above = (_without_subtitle(headings[-2]), _without_subtitle(headings[0]))
    return tuple(dict.fromkeys(h for h in above if h and len(h.split()) <= _LONGEST_CONTEXT))


def _without_subtitle(heading: str) -> str:
    """Return a heading as one would refer to it: "Studies" for "Studies: systems, folds, transfer"."""
    name = _NUMBERING.sub("", without_parenthesis(heading)).rstrip(" :;,.")
    found = _SUBTITLE.match(name)
    return found[1] if found and len(name.split()) > 3 else name


def heading_name(heading: str) -> str:
    """Return a heading as the name of an option, "" if it cannot be one.

    Numbers and marks around it are no part of the name. What asks, offers something itself, or is a whole sentence
    would not read as one option.

    Example:
        >>> heading_name("2.1 Overview:"), heading_name("Where can I find it?"), heading_name("macOS or Windows")
        ('Overview', '', '')
    """
    name = _NUMBERING.sub("", heading).rstrip(" :;,")
    parts = name.lower().split()
    clause = (
        name.endswith("?") or (parts and parts[0] in ASKING) or _FINITE & {*parts} or "n't" in name.replace("’", "'")
    )
    if clause or " or " in f" {name} ".lower() or len(name.split()) > _LONGEST_HEADING:
        return ""
    return name


def says_nothing(name: str) -> bool:
    """Whether a heading fits any document: "Overview", "How it works", "See also"."""
    return all(word.lower() in _SAYS_NOTHING or word.isdigit() for word in words(name))


def _with_telling_contexts(subjects: list[Subject], most: int) -> list[Subject]:
    """Leave out of the contexts what tells nothing apart, if something else is left.

    That is a heading that says nothing, or one that more than ``most`` documents have: "Configuration" of every page.
    """
    documents: dict[str, set[str]] = {}
    for subject in subjects:
        for context in subject.contexts:
            documents.setdefault(context.lower(), set()).add(subject.document)
    told = []
    for subject in subjects:
        kept = tuple(c for c in subject.contexts if len(documents[c.lower()]) <= most and not says_nothing(c))
        told.append(replace(subject, contexts=kept) if kept and kept != subject.contexts else subject)
    return told


_ROMAN = re.compile(r"[IVXLCDM]+$")
_LINKING = frozenset({"a", "an", "the", "and", "of", "in", "on", "for", "to", "de", "la"})


def find_acronyms(name: str, text: str) -> tuple[str, ...]:
    """Return the abbreviations that a passage may be asked for by.

    Args:
        name: Name of the subject; capital words of it count, and its initials if they stand in the text.
        text: The passage.
    """
    parts = words(name)
    found = {w for w in parts if w.isupper() and w.isalpha() and 2 <= len(w) <= 6 and not _ROMAN.match(w)}
    for chosen in (parts, [w for w in parts if w.lower() not in _LINKING]):
        initials = "".join(w[0] for w in chosen).upper()
        if 2 <= len(initials) <= 6 and initials.isalpha() and re.search(rf"\b{initials}\b", text):
            found.add(initials)
    return tuple(sorted(found))
