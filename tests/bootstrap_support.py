"""A small corpus with every kind of ambiguity, and a searcher by shared words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rac.records import Passage

ENTRIES = [
    ("King Lear", "Play by William Shakespeare", "King Lear is a tragedy about an old king and his three daughters."),
    ("B. B. King", "American blues guitarist (1925–2015)", "Riley B. King was an American blues guitarist and singer."),
    ("Stephen King", "American author (born 1947)", "Stephen King is an American author of horror novels."),
    ("Casablanca", "City in Morocco", "Casablanca is the largest city in Morocco, a port on the Atlantic."),
    ("Casablanca (film)", "1942 film by Michael Curtiz", "Casablanca is a 1942 American romantic drama film."),
    (
        "Linear programming",
        "Mathematical method to achieve the best outcome",
        "Linear programming (LP) is a method of optimization.",
    ),
    ("Lumbar puncture", "Procedure to collect spinal fluid", "Lumbar puncture (LP) is a medical procedure."),
    ("World War I", "Global conflict from 1914 to 1918", "World War I was a global conflict fought in Europe."),
    ("World War II", "Global conflict from 1939 to 1945", "World War II was a global conflict on many continents."),
    ("La traviata", "Opera by Giuseppe Verdi", "La traviata is an opera in three acts first performed in Venice."),
    ("Carmen", "Opera by Georges Bizet", "Carmen is an opera in four acts with spoken dialogue."),
    ("Fidelio", "Opera by Ludwig van Beethoven", "Fidelio is set in a prison near Seville."),
    ("Li Bai", "Chinese poet (701–762)", "Li Bai was a Chinese poet of the Tang dynasty."),
    ("Tao Yuanming", "Chinese poet (365–427)", "Tao Yuanming was a Chinese poet who lived in the country."),
]
CORPUS = [Passage(id=f"p{n}", title=t, description=d, text=x) for n, (t, d, x) in enumerate(ENTRIES)]


@dataclass(frozen=True)
class Hit:
    passage: Passage


class WordSearcher:
    """Ranks passages by the number of the query's words in them; ties in the order of the corpus."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = list(passages)
        self.words = [words(f"{p.title} {p.description} {p.text}") for p in self.passages]

    def search_batch(self, queries: Sequence[str], top_k: int) -> list[list[Hit]]:
        found = []
        for query in queries:
            own = words(query)
            scores = sorted(range(len(self.passages)), key=lambda n: -len(own & self.words[n]))
            found.append([Hit(self.passages[n]) for n in scores[:top_k] if own & self.words[n]])
        return found


def words(text: str) -> set[str]:
    common = {
        "the",
        "a",
        "an",
        "is",
        "was",
        "of",
        "in",
        "by",
        "and",
        "on",
        "me",
        "to",
        "what",
        "about",
        "for",
        "do",
        "you",
    }
    return set(re.findall(r"\w+", text.lower())) - common
