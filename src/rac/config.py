"""One validated recipe (YAML) describes a whole run.

Each section is declared beside the code that it steers; this module puts the sections together and finds recipes;
``rac.settings`` reads them with line numbers, applies ``--set`` overrides and explains every key.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rac.corpus.bootstrap_settings import Bootstrap
from rac.errors import UserError, did_you_mean
from rac.files import sha256_json
from rac.generation.openai_settings import OpenAIServer
from rac.generation.systems import SYSTEMS
from rac.prompting import PromptSettings
from rac.retrieval.settings import IndexSettings
from rac.settings import explain_settings, find_settings, load_settings, shipped_settings, validated
from rac.training.pair_settings import Pairs
from rac.training.settings import ROUNDS, Stage1, Stage2

RECIPE_SCHEMA = 1
_ADDED_LATER = {"data": ("also", "fold", "held_out")}
"""Keys that did not exist at first. At their defaults they are left out of hashes, so that finished stages are kept."""
_NOT_HASHED = {
    "data": ("unlabelled_queries",),
    "training": ("keep_memory",),
    "preference": (*ROUNDS, "keep_memory"),
}
"""Keys that say which stages there are, or how fast they run, and change nothing in what comes out of any of them."""


class Section(BaseModel):
    """Base of the recipe's sections: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Section):
    """Which examples and corpus the run uses, and how they are split."""

    source: str = Field(
        "bootstrap",
        description="`bootstrap` (made from the corpus), the name of a benchmark (see `rac fetch --list`), or the path "
        "of an examples file or of a folder written by `rac bootstrap`, or of a table (see `columns`).",
    )
    corpus: str = Field(
        "",
        description="`wikipedia` (the embedded summaries), a file or folder of documents, `trec:PATH` or "
        "`ir_datasets:NAME` (a collection in TREC format, or known to that package), or empty for the "
        "benchmark's own corpus (with `source: bootstrap`: the embedded summaries).",
    )
    directory: str = Field(
        "",
        description="Folder with the benchmark's files, laid out OWNER/REPO/PATH; empty: fetched files or $RAC_MIRROR.",
    )
    columns: dict[str, Any] = Field(
        default_factory=dict,
        description="Column map of a table: which column holds `query`, `questions`, `facets`, `passages`, ...",
    )
    train_queries: int | None = Field(None, ge=1, description="Training queries to use at most; empty: all.")
    stage2_share: float = Field(
        1 / 3, gt=0, lt=1, description="Share of the training queries kept for pairs: stage 1 never sees them."
    )
    unlabelled_queries: int | None = Field(
        None,
        ge=1,
        description="Further training queries, with or without a gold question, for `preference.unlabelled_rounds` at "
        "most; empty: all that no other part uses.",
    )
    questions_per_query: int | None = Field(
        None, ge=1, description="Gold questions of a query used in stage 1 and for pairs at most; empty: all."
    )
    supported_only: bool = Field(
        True,
        description="Leave gold questions out of stage 1 and of pairs whose options D does not support (they teach "
        "invention), and queries that have no other.",
    )
    evaluation_queries: int | None = Field(None, ge=1, description="Held-out queries to evaluate at most; empty: all.")
    held_out: Literal["source", "training"] = Field(
        "source",
        description="Which queries are held out and asked: those that the source holds out, or (`training`) a fifth of "
        "its training clusters, for tuning: what the source holds out is then neither asked nor trained on.",
    )
    fold: str = Field(
        "",
        pattern=r"^(\d+/\d+)?$",
        description="`I/K` holds fold I of K out, by cluster, and trains on all the others, whatever the splits of the "
        "source are; `rac crossfit` sets it.",
    )
    also: tuple[str, ...] = Field(
        (),
        description="Further benchmarks or example files to train on jointly, each over a corpus of its own and "
        "limited to `train_queries` itself; what is evaluated stays `source`.",
    )

    @field_validator("columns")
    @classmethod
    def _columns_are_a_map(cls, columns: dict[str, Any]) -> dict[str, Any]:
        if columns:
            from rac.benchmarks.column_settings import make_column_map

            try:
                make_column_map(columns)
            except UserError as error:
                raise ValueError(str(error)) from error
        return columns


class Model(Section):
    """The base language model."""

    base: str = Field("embedded", description="`embedded`, a model folder, or a hub id OWNER/NAME.")
    device: str = Field("auto", description="A torch device; `auto` takes a GPU if torch sees one.")
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Type of the weights; keep float32 on CPU. `training.precision` is how products are computed.",
    )


class EvaluationSettings(Section):
    """Which systems are asked and how they are compared."""

    systems: tuple[str, ...] = Field(
        ("base", "template", "ungrounded", "grounded", "rac", "gold"),
        description="Systems to compare: " + ", ".join(SYSTEMS) + ".",
    )
    passages: tuple[Literal["retrieved", "gold"], ...] = Field(
        ("retrieved",),
        description="What D is in evaluation; one table each. All systems are scored against the same D.",
    )
    gold_systems: tuple[str, ...] = Field(
        (),
        description="Which of the systems are asked over `gold` passages, where `passages` has them; all, if none of "
        "the systems is named here.",
    )
    max_new_tokens: int = Field(48, ge=8, description="Longest question, in tokens.")
    candidates: int = Field(8, ge=2, description="Samples that the systems `...-best-of-n` choose from.")
    shots: int = Field(3, ge=1, le=16, description="Solved training examples in the prompt of `base-few-shot`.")
    alpha: float = Field(
        0.5, ge=0, description="Strength of `context-aware`: log p + alpha (log p - log p_uncond); 0 is `grounded`."
    )
    plausibility: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="`context-aware` leaves out tokens whose probability under `grounded` is less than this share of "
        "the largest one; 0 leaves none out.",
    )
    beams: int = Field(4, ge=1, description="Beams of `facet-constrained` for each beginning of a question.")
    bootstrap_samples: int = Field(2000, ge=100, description="Resamples behind the interval of each mean.")
    retrieval_gain: bool = Field(
        False,
        description="Measure, too, how much better the gold passages are found with question and (simulated) answer "
        "than with the query, and what the corpus supports beyond D; takes a search for every option.",
    )
    nli: str = Field(
        "auto",
        description="Entailment model of the metrics: `auto` (the embedded one; words alone where it cannot run), "
        "`none`, `embedded`, or a hub id or folder.",
    )

    @field_validator("systems", "gold_systems")
    @classmethod
    def _known_systems(cls, systems: tuple[str, ...]) -> tuple[str, ...]:
        for system in systems:
            if system not in SYSTEMS:
                raise ValueError(f"unknown system '{system}'; {did_you_mean(system, SYSTEMS)}")
            if systems.count(system) > 1:
                raise ValueError(f"the system '{system}' is named twice; name each once")
        return systems

    def systems_over(self, source: str) -> tuple[str, ...]:
        """Return the systems that are asked over ``retrieved`` or ``gold`` passages, in order."""
        if source != "gold":
            return self.systems
        return tuple(system for system in self.systems if system in self.gold_systems) or self.systems

    def sources_of(self, system: str) -> list[str]:
        """Return the kinds of D that a system is asked over, in order."""
        return [source for source in self.passages if system in self.systems_over(source)]


class OpenAI(OpenAIServer):
    """The OpenAI-compatible server that the system `openai` asks."""

    model: str = Field("", description="The model's name on that server; needed where `openai` is among the systems.")


class Recipe(Section):
    """A whole run."""

    schema_version: int = Field(RECIPE_SCHEMA, alias="schema", description="Version of the recipe format.")
    name: str = Field("run", pattern=r"^[A-Za-z0-9._-]+$", description="Name of the run, shown in reports.")
    seed: int = Field(0, ge=0, description="Seed of splitting, sampling and training.")
    data: Data = Field(default_factory=Data)
    bootstrap: Bootstrap = Field(default_factory=Bootstrap)
    index: IndexSettings = Field(default_factory=IndexSettings)
    prompt: PromptSettings = Field(default_factory=PromptSettings)
    model: Model = Field(default_factory=Model)
    training: Stage1 = Field(default_factory=Stage1)
    pairs: Pairs = Field(default_factory=Pairs)
    preference: Stage2 = Field(default_factory=Stage2)
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)
    openai: OpenAI = Field(default_factory=lambda: OpenAI(model=""))

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.schema_version != RECIPE_SCHEMA:
            raise ValueError(f"recipe schema {self.schema_version} is not known; this rac reads schema {RECIPE_SCHEMA}")
        if self.data.source == "bootstrap" and self.prompt.passages != "retrieved":
            raise ValueError(
                f"prompt.passages: {self.prompt.passages} needs gold passages, and bootstrapped data has none "
                "beside the retrieved ones; use `passages: retrieved`"
            )
        if self.data.source == "bootstrap" and "gold" in self.evaluation.passages:
            raise ValueError(
                "evaluation.passages: [gold] needs gold passages, and bootstrapped data has none beside the retrieved "
                "ones; use `passages: [retrieved]`"
            )
        if (self.training.adapter, self.preference.adapter) == ("full", "lora"):
            raise ValueError(
                "preference.adapter: lora and training.adapter: full do not go together: an adapter would be saved for "
                "the base model, and stage 1's weights would be lost; set both to the same"
            )
        if self.data.source == "bootstrap" and self.bootstrap.top_k > self.prompt.top_k:
            raise ValueError(
                f"bootstrap.top_k is {self.bootstrap.top_k} and prompt.top_k is {self.prompt.top_k}, so questions "
                "would offer what the prompt does not show; make bootstrap.top_k at most prompt.top_k"
            )
        if "openai" in self.evaluation.systems and not self.openai.model:
            raise ValueError(
                "openai.model: the system `openai` is asked for, but no model is named; give the model's name on the "
                "server at openai.url"
            )
        if "rac-round-1" in self.evaluation.systems and self.preference.all_rounds == 1:
            raise ValueError(
                "evaluation.systems: with one round `rac-round-1` is `rac` itself; leave it out, or set "
                "preference.rounds: 2"
            )
        if self.preference.mined_rounds:
            own = self.pairs
            if not own.filter or own.positives != "best-of-n" or "grounded" not in own.negatives:
                raise ValueError(
                    "preference.mined_rounds: such a round sets a faulty question against a sound sample or a repair; "
                    "it needs pairs.filter: true, pairs.positives: best-of-n and `grounded` among pairs.negatives"
                )
        if self.preference.unlabelled_rounds and self.pairs.positives == "gold":
            raise ValueError(
                "preference.unlabelled_rounds: queries without labels have no gold for pairs.positives: gold; use "
                "best-of-n, or set unlabelled_rounds: 0"
            )
        if self.data.fold and self.data.held_out != "source":
            raise ValueError("data.fold says what is held out, and so does data.held_out: training; set one of them")
        if self.model.device == "cpu" and self.model.dtype == "bfloat16":
            raise ValueError("model.dtype: bfloat16 on the CPU loses small updates; use float32 there")
        return self

    def to_yaml(self) -> str:
        """Return the resolved recipe, every key included."""
        return yaml.safe_dump(self.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True)

    def digest(self, *sections: str) -> str:
        """Return a hash of the named sections' values."""
        return sha256_json({s: self._hashed(s) for s in sections})

    def _hashed(self, section: str) -> Any:
        value = getattr(self, section)
        plain = _plain(value)
        for key in _NOT_HASHED.get(section, ()):
            del plain[key]
        for key in _ADDED_LATER.get(section, ()):
            if getattr(value, key) == type(value).model_fields[key].get_default(call_default_factory=True):
                del plain[key]
        return plain


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def shipped_recipes() -> dict[str, Path]:
    """Return the recipes that are installed with rac, by name."""
    return shipped_settings("rac", "recipes")


def find_recipe(name: str) -> Path:
    """Return the file of a recipe given by path, or by the name of one that is installed with rac."""
    return find_settings(name, shipped_recipes(), "recipe", folder="recipes")


def load_recipe(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """Read and validate a recipe.

    Args:
        path: The YAML file.
        overrides: ``section.key=value`` strings from ``--set``; the value is read as YAML.

    Raises:
        DataError: for YAML that does not parse, an unknown key (with the nearest valid one), a wrong type or values
            that do not fit together; with the line.
    """
    return load_settings(Recipe, path, overrides)


def overridden(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """Return a recipe with ``section.key=value`` strings applied to it.

    Raises:
        UserError: see ``load_recipe``.
    """
    return validated(Recipe, recipe.model_dump(mode="json", by_alias=True), overrides)


def explain_recipe() -> str:
    """Return every key of a recipe as commented YAML: meaning, type and default."""
    return explain_settings(Recipe)
