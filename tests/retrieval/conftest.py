"""A handful of passages, and a bi-encoder that needs no model: hashed words, so that shared words mean similarity."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rac.corpus.jsonl import id_hash
from rac.records import Passage

TEXTS = {
    "film": ("Casablanca (film)", "1942 film", ("film",), "A romantic drama set in the city during the war."),
    "city": ("Casablanca", "City in Morocco", ("city",), "The largest city of Morocco, on the Atlantic coast."),
    "rick": ("Rick Blaine", "Fictional character", (), "He owns a café in the film Casablanca."),
    "rabat": ("Rabat", "Capital of Morocco", ("city", "capital"), "Rabat lies on the Atlantic, north of Casablanca."),
    "jazz": ("Jazz", "Music genre", (), "Swing and blue notes."),
}


@pytest.fixture
def passages() -> list[Passage]:
    return [
        Passage(id=key, title=title, description=about, types=types, text=text)
        for key, (title, about, types, text) in TEXTS.items()
    ]


class HashEncoder:
    """Words to unit vectors of 32 numbers; ``salt`` makes another model."""

    max_seq_length = 128

    def __init__(self, salt: str = "") -> None:
        self.salt = salt
        self.seen: list[str] = []

    def encode_document(self, texts: list[str], **_: Any) -> Any:
        self.seen.extend(texts)
        return np.stack([self._vector(text) for text in texts]) if texts else np.empty((0, 32), np.float32)

    encode_query = encode_document

    def _vector(self, text: str) -> Any:
        total = np.full(32, 1e-3, np.float32)
        for word in re.findall(r"\w+", text.lower()):
            rng = np.random.default_rng(id_hash(self.salt + word))
            total += np.abs(rng.standard_normal(32) ** 5).astype(np.float32)  # few large numbers
        return total / np.linalg.norm(total)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> HashEncoder:
    """Replace the embedding model everywhere; return the one in use."""
    model = HashEncoder()
    monkeypatch.setattr("rac.retrieval.dense.bi_encoder", lambda name, max_tokens=None: model)
    return model


@pytest.fixture
def write_corpus(tmp_path: Any) -> Callable[[list[str]], Any]:
    """Write lines as a corpus file."""

    def write(lines: list[str]) -> Any:
        path = tmp_path / "corpus.jsonl"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
