"""What a recipe's ``data`` section names: a corpus, and examples by the splits of their source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rac.config import Recipe
from rac.corpus.fingerprint import corpus_fingerprint
from rac.errors import UserError
from rac.files import read_records
from rac.records import ClarificationExample, Passage

if TYPE_CHECKING:
    from rac.benchmarks import ColumnMap
    from rac.retrieval import Index

BySplit = dict[str, list[ClarificationExample]]


def corpus_name(recipe: Recipe) -> str:
    """Return the corpus that the recipe means: a name, a path, or the benchmark's own."""
    if recipe.data.corpus:
        return recipe.data.corpus
    return "wikipedia" if recipe.data.source == "bootstrap" else f"benchmark:{recipe.data.source}"


def _benchmark(recipe: Recipe) -> Any:
    from rac.benchmarks import load

    return load(recipe.data.source, directory=recipe.data.directory or None, columns=_columns(recipe))


def _columns(recipe: Recipe) -> ColumnMap | None:
    from rac.benchmarks import make_column_map

    return make_column_map(recipe.data.columns) if recipe.data.columns else None


def _is_file_source(source: str) -> bool:
    from rac.benchmarks.resolve import is_file_source

    return is_file_source(source)


def corpus_passages(recipe: Recipe) -> list[Passage]:
    """Read the corpus of a recipe.

    Raises:
        UserError: if its source has no passages and no corpus is named, or its examples give one passage id to
            different passages.
    """
    from rac.corpus import read_corpus

    name = corpus_name(recipe)
    if not name.startswith("benchmark:"):
        return list(read_corpus(name))
    if _is_file_source(recipe.data.source):
        from rac.benchmarks.base import carried, distinct_passages

        # Without a corpus, the passages that the examples carry are the corpus.
        examples = _read_example_source(Path(recipe.data.source), _columns(recipe))
        passages = distinct_passages(carried(e for split in examples.values() for e in split), recipe.data.source)
        if not passages:
            raise UserError(
                f"{recipe.data.source} has no passages and the recipe names no corpus; set data.corpus to "
                "'wikipedia', a file or a folder of documents"
            )
        return passages
    data = _benchmark(recipe)
    if not data.corpus:
        raise UserError(
            f"the benchmark '{recipe.data.source}' comes without passages; set data.corpus to a corpus of yours, or to "
            "'wikipedia' to try things out (such a table carries no claim about faithfulness)"
        )
    return list(data.corpus)


def source_fingerprint(recipe: Recipe) -> Any:
    """Return what changes when the corpus of a recipe changes."""
    name = corpus_name(recipe)
    return corpus_fingerprint(recipe.data.source if name.startswith("benchmark:") else name)


def read_examples(recipe: Recipe, index: Index) -> tuple[BySplit, dict[str, Any]]:
    """Read or make the examples of a recipe's source.

    Args:
        recipe: Its ``data`` and ``bootstrap`` sections count.
        index: The corpus, which bootstrapped examples are made from.

    Returns:
        Examples by the split of their source, and counts.
    """
    if recipe.data.source == "bootstrap":
        from rac.corpus.bootstrap import bootstrap
        from rac.metrics.selection import SelectionScorer

        check = SelectionScorer(min_options=2).problem
        result = bootstrap(corpus_passages(recipe), index, recipe.bootstrap, recipe.seed, check=check)
        return by_split(result.examples), {"bootstrap": result.counts}
    if _is_file_source(recipe.data.source):
        return _read_example_source(Path(recipe.data.source), _columns(recipe)), {}
    data = _benchmark(recipe)
    return by_split(data.examples), {"benchmark": data.counts}


def by_split(examples: list[ClarificationExample]) -> BySplit:
    """Group examples by the split that their source gives them (``train`` where it gives none)."""
    found: BySplit = {}
    for example in examples:
        found.setdefault(example.split or "train", []).append(example)
    return found


def _read_example_source(path: Path, columns: ColumnMap | None) -> BySplit:
    if path.is_file():
        from rac.benchmarks.resolve import read_source

        # Only the examples count: the corpus may be another one.
        data, _ = read_source(str(path), columns=columns, distinct=False)
        if not data.examples:
            raise UserError(f"{path} holds no example; each one needs at least a query")
        return by_split(data.examples)
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise UserError(f"{path} holds no .jsonl file of examples; make one with rac bootstrap CORPUS -o {path}")
    examples = [example for file in files for example in read_records(file, ClarificationExample)]
    if not examples:
        raise UserError(f"{path} holds no example; each line is one JSON object with at least id and query")
    return by_split(examples)
