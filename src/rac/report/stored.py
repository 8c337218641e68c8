"""What a results page needs of a run, read from its directory or from the compact form that lies in ``results/``.

The compact form of a run is a folder::

    recipe.yaml
    stages.json             every stage's record: time, memory, counts, versions, hashes
    metrics.json.gz         the run's metrics.json
    questions-D.jsonl.gz    one line a query: id, query, cluster, ids of D, and each system's question and flags
    scores-D.json.gz        system -> metric -> one number a query, in the same order

It holds no passage text and no model, and every table and sentence of a page comes out of it as out of the run.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rac.config import Recipe, load_recipe
from rac.errors import DataError, UserError, did_you_mean
from rac.files import atomic_path, check_header, iterate_json_lines, read_json, read_records, write_json, write_text
from rac.metrics.catalog import METRICS
from rac.records import ClarificationExample

FOUND_DONE = "answers of an interrupted try"
"""Count of a stage that asks: answers that it did not have to ask for again, so its time says nothing of them."""


@dataclass(frozen=True)
class Asked:
    """All systems' questions for one query.

    Attributes:
        id: Of the query.
        query: U_q.
        cluster: Unit of resampling.
        passages: Ids of D.
        questions: System -> C_q.
        flags: System -> what is notable of it.
    """

    id: str
    query: str
    cluster: str
    passages: tuple[str, ...]
    questions: Mapping[str, str]
    flags: Mapping[str, list[str]]


@dataclass(frozen=True)
class StoredRun:
    """A finished run as pages see it.

    Attributes:
        path: Where it was read from.
        recipe: Its recipe.
        metrics: The content of ``metrics.json``.
        stages: Stage -> record.
        asked: D (``retrieved``, ``gold``) -> all queries.
        scores: D -> system -> metric -> values, aligned with ``asked``.
        trained: Name of the run whose models were asked, for a transfer.
    """

    path: Path
    recipe: Recipe
    metrics: dict[str, Any]
    stages: dict[str, dict[str, Any]]
    asked: dict[str, list[Asked]]
    scores: dict[str, dict[str, dict[str, list[float | None]]]]
    trained: str = ""

    @property
    def name(self) -> str:
        """Name of the run."""
        return str(self.metrics["run"])

    def source(self, wanted: str | None) -> str:
        """Return the D of that name, the first one for None.

        Raises:
            UserError: if the run was not scored against it.
        """
        source = wanted or next(iter(self.asked))
        if source not in self.asked:
            raise UserError(f"{self.path} was not scored against D '{source}'; {did_you_mean(source, self.asked)}")
        return source

    def check_outputs(self, source: str, read: Iterable[tuple[str, str, str]]) -> None:
        """Check that questions which somebody read are those of this run.

        Args:
            source: Which D they were asked over.
            read: (query id, system, question).

        Raises:
            UserError: for one that the run did not ask, as after another training.
        """
        questions = {one.id: one.questions for one in self.asked[source]}
        for name, system, question in read:
            if questions.get(name, {}).get(system) != question:
                raise UserError(
                    f"{self.path} has another question of {system} for '{name}' than the one that was read: give the "
                    "run that the sheet was made of"
                )


def is_packed(path: Path) -> bool:
    """Whether a folder holds a run in compact form."""
    return (path / "metrics.json.gz").exists()


def load(path: Path | str) -> StoredRun:
    """Read a run directory or its compact form.

    Raises:
        UserError: if it is neither, or the run has no metrics yet.
    """
    path = Path(path)
    if is_packed(path):
        return _load_packed(path)
    if not (path / "run.json").exists():
        raise UserError(f"{path} is neither a run directory nor a run in compact form (rac pack); give one of these")
    if not (path / "metrics.json").exists() or not (path / "stages/metrics.json").exists():
        raise UserError(f"{path} has no metrics yet: finish it with rac train {path / 'recipe.yaml'} -o {path}")
    metrics = read_json(path / "metrics.json")
    if "signatures" not in metrics:
        raise DataError(path / "metrics.json", "is not of a run; give a run directory", field="signatures")
    examples = {e.id: e for e in _examples(path)}
    retrieved = read_json(path / "retrieved.json")
    recipe = load_recipe(path / "recipe.yaml")
    asked: dict[str, list[Asked]] = {}
    scores: dict[str, dict[str, dict[str, list[float | None]]]] = {}
    for source in metrics["signatures"]:
        systems = next(list(table["systems"]) for table in metrics["tables"] if table["passages"] == source)
        rows = {s: [row for _, row in iterate_json_lines(path / f"scores/{source}/{s}.jsonl")] for s in systems}
        asked[source] = []
        for place, row in enumerate(rows[systems[0]]):
            example = examples[row["id"]]
            gold = [p.id for p in example.passages[: recipe.prompt.top_k]]
            shown = retrieved[example.id] if source == "retrieved" else gold
            asked[source].append(
                Asked(
                    example.id,
                    example.query,
                    example.cluster,
                    tuple(shown),
                    {s: rows[s][place]["question"] for s in systems},
                    {s: rows[s][place]["flags"] for s in systems if rows[s][place]["flags"]},
                )
            )
        scores[source] = {
            s: {m: [r.get(m) for r in rows[s]] for m in METRICS if any(r.get(m) is not None for r in rows[s])}
            for s in systems
        }
    stages = {p.stem: read_json(p) for p in sorted((path / "stages").glob("*.json"))}
    elsewhere = read_json(path / "run.json").get("models_of")
    trained = load_recipe((path / elsewhere).resolve() / "recipe.yaml").name if elsewhere else ""
    return StoredRun(path, recipe, metrics, stages, asked, scores, trained)


def _examples(path: Path) -> list[ClarificationExample]:
    file = path / "examples/evaluation.jsonl"
    check_header(file)
    return read_records(file, ClarificationExample)


def pack(run: Path | str, folder: Path | str) -> int:
    """Write a run in compact form; the same run gives the same bytes.

    Args:
        run: A finished run directory.
        folder: The folder; replaced as a whole.

    Returns:
        Bytes written.
    """
    stored = load(run)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        write_text(temporary / "recipe.yaml", (stored.path / "recipe.yaml").read_text(encoding="utf-8"))
        kept = {
            name: {k: v for k, v in record.items() if k not in ("inputs", "outputs")}
            | {"outputs": {path: entry["sha256"] for path, entry in record["outputs"].items()}}
            for name, record in stored.stages.items()
        }
        write_json(temporary / "stages.json", {"trained": stored.trained, "stages": kept})
        _write(temporary / "metrics.json.gz", _dump(stored.metrics))
        for source, asked in stored.asked.items():
            lines = "".join(_dump(vars(one)) + "\n" for one in asked)
            _write(temporary / f"questions-{source}.jsonl.gz", lines)
            _write(temporary / f"scores-{source}.json.gz", _dump(stored.scores[source]))
    return sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())


def _load_packed(path: Path) -> StoredRun:
    metrics = _read_json(path / "metrics.json.gz")
    kept = read_json(path / "stages.json")
    asked = {}
    scores = {}
    for source in metrics["signatures"]:
        asked[source] = _read_asked(path / f"questions-{source}.jsonl.gz")
        scores[source] = _read_json(path / f"scores-{source}.json.gz")
    recipe = load_recipe(path / "recipe.yaml")
    return StoredRun(path, recipe, metrics, kept["stages"], asked, scores, kept["trained"])


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _write(path: Path, text: str) -> None:
    # Without a name and a time in it, the same content is the same file.
    path.write_bytes(gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0))


def _read_asked(path: Path) -> list[Asked]:
    # ``splitlines`` would also cut at U+2028 and other characters that stand in questions as they are.
    lines = enumerate(_read(path).split("\n"), start=1)
    rows = [_parse(line, path, number) for number, line in lines if line]
    return [Asked(**{**row, "passages": tuple(row["passages"])}) for row in rows]


def _read_json(path: Path) -> Any:
    return _parse(_read(path), path)


def _parse(text: str, path: Path, line: int | None = None) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON ({error.msg} at column {error.colno}); pack the run again"
        raise DataError(path, problem, line=line) from error


def _read(path: Path) -> str:
    try:
        return gzip.decompress(path.read_bytes()).decode("utf-8")
    except FileNotFoundError as error:
        raise DataError(path, "no such file; pack the run again") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(path, f"is damaged ({error}); pack the run again") from error
