"""The file that describes a comparison of indexes: datasets with judgements, and strategies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rac.errors import DataError, did_you_mean
from rac.files import read_text
from rac.retrieval.settings import IndexSettings, validate_settings
from rac.settings import find_settings, parse_yaml, shipped_settings

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._ +-]*$"


class Dataset(BaseModel):
    """Queries with relevant passages, and the corpus to find them in: a benchmark, or files of one's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmark: str = Field("", description="name of a benchmark that brings its passages")
    split: str = Field("all", description="split of the benchmark, or all; the corpus is always that of all splits")
    examples: str = Field("", description="examples file (.jsonl) with qrels or gold passages, instead of a benchmark")
    corpus: str = Field("", description="corpus of the examples: a file, a folder or `wikipedia`")
    max_queries: int | None = Field(None, ge=1, description="take only so many queries, evenly spaced")
    bootstrap_queries: int | None = Field(
        None, ge=1, description="make so many queries from the corpus itself and index them for `fields: queries`"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.benchmark) == bool(self.examples):
            raise ValueError("give either `benchmark`, or `examples` and `corpus`")
        if self.examples and not self.corpus:
            raise ValueError("`examples` needs a `corpus`")
        return self


class Comparison(BaseModel):
    """What `rac compare-indexes` runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("indexes", pattern=_NAME, description="name of the comparison, shown in its reports")
    seed: int = Field(0, ge=0, description="seed of resampling")
    depth: int = Field(20, ge=10, le=1000, description="passages retrieved per query")
    baseline: str = Field("bm25", description="strategy that the others are tested against")
    datasets: dict[str, Dataset] = Field(min_length=1, description="name -> dataset")
    strategies: dict[str, dict[str, Any]] = Field(min_length=1, description="name -> keys of the index section")
    common: dict[str, Any] = Field(default_factory=dict, description="keys of the index section for all strategies")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.baseline not in self.strategies:
            raise ValueError(
                f"baseline '{self.baseline}' is no strategy; {did_you_mean(self.baseline, self.strategies)}"
            )
        for name in (*self.datasets, *self.strategies):
            if not name or any(char in name for char in "/\\\0") or name.startswith("."):
                raise ValueError(f"'{name}' cannot name a dataset or strategy: it must be a plain file name")
        return self

    def settings(self, strategy: str) -> IndexSettings:
        """Return the resolved settings of a strategy.

        Raises:
            UserError: for a key or value that no index has.
        """
        return validate_settings({**self.common, **self.strategies[strategy]}, f"strategy '{strategy}'")


def shipped_comparisons() -> dict[str, Path]:
    """Return the comparisons that are installed with rac, by name."""
    return shipped_settings("rac.retrieval", "comparisons")


def _extended(path: Path, values: dict[str, Any], below: tuple[Path, ...]) -> dict[str, Any]:
    """Return the values of a comparison that ``extends`` another; its datasets and strategies come after those."""
    parent = values.pop("extends", None)
    if parent is None:
        return values
    beside = path.parent / parent if isinstance(parent, str) else path
    if not isinstance(parent, str) or beside.resolve() in (*below, path.resolve()):
        raise DataError(path, "names no other comparison; give a YAML file or a shipped one", field="extends")
    name = str(beside) if beside.is_file() else parent
    base = load_comparison(name, (*below, path.resolve())).model_dump(mode="json")
    for key in ("datasets", "strategies", "common"):
        if isinstance(values.get(key, {}), Mapping):
            values[key] = {**base.pop(key), **values.get(key, {})}
    return {**base, **values}


def load_comparison(name: str, below: tuple[Path, ...] = ()) -> Comparison:
    """Read and check a comparison, given by path or by the name of a shipped one.

    A file may say ``extends: NAME`` to take everything of another one and add datasets and strategies.

    Args:
        name: Path or name.
        below: Files that extend this one.

    Raises:
        UserError: if there is none, or a key or value cannot be used.
    """
    path = find_settings(name, shipped_comparisons(), "comparison")
    try:
        values = parse_yaml(read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DataError(
            path, f"is not valid YAML ({getattr(error, 'problem', error)})", line=mark.line + 1 if mark else None
        ) from error
    if not isinstance(values, Mapping):
        raise DataError(path, "must be a mapping with `datasets:` and `strategies:`")
    values = _extended(path, dict(values), below)
    try:
        comparison = Comparison.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            section: type[BaseModel] = Dataset if len(first["loc"]) > 1 else Comparison
            problem = f"unknown key; {did_you_mean(str(first['loc'][-1]), section.model_fields)}"
        raise DataError(path, problem, field=where or None) from error
    for strategy in comparison.strategies:
        comparison.settings(strategy)
    return comparison
