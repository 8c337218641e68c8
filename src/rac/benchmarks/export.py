"""Writing examples and their corpus into a folder, in a format that other tools read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rac.benchmarks.trec import write_collection, write_qrels, write_topics
from rac.errors import UserError, did_you_mean
from rac.files import atomic_path, write_records
from rac.records import ClarificationExample, Passage

FORMATS = ("jsonl", "trec", "datasets")


def export_examples(
    examples: Sequence[ClarificationExample], corpus: Sequence[Passage], output: Path | str, form: str
) -> dict[str, int]:
    """Write examples, split by split, and the corpus if there is one.

    Args:
        examples: The examples.
        corpus: Everything that can be retrieved.
        output: The folder; it is replaced as a whole once everything is written.
        form: ``jsonl`` (``SPLIT.jsonl``, ``corpus.jsonl``), ``trec`` (``topics.SPLIT.txt``, ``qrels.SPLIT.txt``,
            ``corpus.trec``) or ``datasets`` (a ``datasets.DatasetDict`` saved to disk, without a corpus).

    Returns:
        What was written: file name -> number of records (lines for qrels).

    Raises:
        UserError: for another format, a folder that holds something else, a split's name that is no file name, or if
            ``datasets`` is not installed.
    """
    if form not in FORMATS:
        raise UserError(f"'{form}' is no export format; {did_you_mean(form, FORMATS)}")
    output = Path(output)
    if output.is_dir() and any(output.iterdir()) and not (output / _MARK).is_file():
        raise UserError(f"{output} holds files that rac export did not write; give a new folder")
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file where a folder is to be written; give a new folder")
    splits: dict[str, list[ClarificationExample]] = {}
    for example in examples:
        splits.setdefault(example.split or "all", []).append(example)
    for name in splits:
        if Path(name).name != name or name.startswith("."):
            raise UserError(f"the split's name '{name}' cannot be a file name; rename it")
    written: dict[str, int] = {}
    with atomic_path(output) as temporary:
        temporary.mkdir()
        if form == "datasets":
            from rac.benchmarks.hub import save_quietly, to_dataset_dict

            found = to_dataset_dict(examples)
            save_quietly(found, temporary)
            written |= {name: len(dataset) for name, dataset in found.items()}
        for name, part in splits.items():
            if form == "jsonl":
                written[f"{name}.jsonl"] = write_records(temporary / f"{name}.jsonl", part)
            elif form == "trec":
                written[f"topics.{name}.txt"] = write_topics(temporary / f"topics.{name}.txt", part)
                written[f"qrels.{name}.txt"] = write_qrels(temporary / f"qrels.{name}.txt", part)
        if corpus and form == "jsonl":
            written["corpus.jsonl"] = write_records(temporary / "corpus.jsonl", corpus)
        if corpus and form == "trec":
            written["corpus.trec"] = write_collection(temporary / "corpus.trec", corpus)
        (temporary / _MARK).write_text(f"{form}\n", encoding="utf-8")
    return written


_MARK = ".rac-export"
