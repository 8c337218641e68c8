"""Document collections that a user brings for benchmarks without passages (ClariQ, Qulac and their like)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from rac.benchmarks.trec import read_collection
from rac.errors import UserError
from rac.records import Passage

IR_DATASETS = "ir_datasets:"
TREC = "trec:"


def is_collection(source: str) -> bool:
    """Say whether a corpus source names an ``ir_datasets`` data set or a TREC-format collection."""
    return source.startswith((IR_DATASETS, TREC))


def read_user_collection(source: str) -> Iterator[Passage]:
    """Stream a collection.

    Args:
        source: ``ir_datasets:NAME`` (such as ``ir_datasets:clueweb09/en``) or ``trec:PATH``, a file or folder of
            documents in TREC format, gzipped or not.

    Raises:
        UserError: if the source is neither, ``ir_datasets`` is not installed, or it knows no such name.
        DataError: for a file that is not in TREC format.
    """
    if source.startswith(TREC):
        return read_collection(source.removeprefix(TREC))
    if source.startswith(IR_DATASETS):
        return _read_ir_datasets(source.removeprefix(IR_DATASETS))
    raise UserError(f"'{source}' is no collection; write ir_datasets:NAME or trec:PATH")


def _read_ir_datasets(name: str) -> Iterator[Passage]:
    try:
        ir_datasets = importlib.import_module("ir_datasets")
    except ImportError as error:
        raise UserError(
            f"the collection ir_datasets:{name} needs a package that is not installed; run: pip install "
            "'rac-clarify[ir]'"
        ) from error
    try:
        dataset = ir_datasets.load(name)
        documents = dataset.docs_iter()
    except (KeyError, AttributeError) as error:
        raise UserError(
            f"ir_datasets knows no document collection '{name}'; see https://ir-datasets.com for the names"
        ) from error
    for document in documents:
        title = str(getattr(document, "title", "") or "")
        text = str(document.default_text())
        if title and text.startswith(title):
            text = text[len(title) :].lstrip()
        yield Passage(id=str(document.doc_id), title=title, text=text, source=name)
