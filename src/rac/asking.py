"""Ask one clarifying question: retrieve D, generate, check every option against D, link it to its evidence.

A question goes out only with at least two options that passages support; otherwise there is no question and a reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rac.errors import UserError, did_you_mean
from rac.metrics.selection import SelectionScore, SelectionScorer
from rac.prompting import Prompt, PromptSettings, build_prompt
from rac.records import Passage

if TYPE_CHECKING:
    from rac.generation.openai_settings import OpenAIServer
    from rac.retrieval import Index

log = logging.getLogger(__name__)

RUN_SYSTEMS = ("rac", "grounded", "ungrounded")
"""Models of a run that can be asked, the best first."""
NOTHING = "the query retrieves nothing from the index"


Engine = Literal["torch", "llama.cpp", "auto"]

ENGINES: tuple[Engine, ...] = ("torch", "llama.cpp", "auto")
"""What can compute a model: torch, llama.cpp (CPU, 16-bit weights, an extra), or llama.cpp wherever it can."""

DEFAULT_ENGINE: Engine = "auto"
"""The fastest on a CPU whose questions are float32's, wherever it is installed; see docs/generation.md."""


@dataclass(frozen=True)
class Evidence:
    """Where a passage supports an option: character offsets (end exclusive) into one field of the passage."""

    passage_id: str
    title: str
    field: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Option:
    """One option that the question offers; ``score`` in 0..1 is the share of it that its best passage carries."""

    text: str
    start: int
    end: int
    supported: bool
    score: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Answer:
    """What came of one query.

    Attributes:
        query: U_q.
        question: C_q, or None if none is asked.
        reason: Why none is asked, or how the question came about if it is not the model's first choice; else "".
        options: The options of the question (of the best rejected candidate if none is asked).
        faithfulness: Mean score of the options in 0..1, None without options.
        passages: D.
        candidates: All generated questions, the chosen one included.
        model: What generated it.
        timings: Seconds by step.
    """

    query: str
    question: str | None
    reason: str
    options: tuple[Option, ...]
    faithfulness: float | None
    passages: tuple[Passage, ...]
    candidates: tuple[str, ...]
    model: str
    timings: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain JSON types (see docs/file-formats.md)."""
        return {**asdict(self), "passages": [p.to_dict() for p in self.passages]}


@dataclass(frozen=True)
class Wanted:
    """Questions that ``Asker.steps`` needs next.

    Attributes:
        prompt: What they are generated from.
        samples: How many are sampled; 0 wants the single greedy one.
        seed: Of the samples.
    """

    prompt: Prompt
    samples: int
    seed: int


class Asker:
    """Loads once, asks often.

    Args:
        model: A causal language model in evaluation mode; None where ``generator`` is given.
        tokenizer: Its tokenizer.
        name: How the model is called in output.
        index: Where D comes from when the caller brings no passages.
        settings: Prompt settings; those the model was trained with.
        grounded: Whether the model sees D.
        max_new_tokens: Longest question in tokens.
        tuned: Whether the model was tuned to ask. If not, a template stands in where all its candidates fail, and the
            answer says so.
        generator: What generates instead of the model in this process, a server say; then who drives ``steps`` asks it.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        index: Index | None = None,
        settings: PromptSettings | None = None,
        grounded: bool = True,
        max_new_tokens: int = 48,
        tuned: bool = True,
        generator: Any = None,
    ) -> None:
        self.tokenizer, self.name, self.index, self.tuned = tokenizer, name, index, tuned
        self.settings = settings or PromptSettings()
        self.grounded = grounded
        if generator is None:
            from rac.generation.local import LocalGenerator

            generator = LocalGenerator(model, tokenizer, max_new_tokens=max_new_tokens)
        self.generator = generator
        self.scorer = SelectionScorer(min_options=2)

    @classmethod
    def open(
        cls, name: str, *, system: str | None = None, index: Path | str | Index | None = None,
        openai: OpenAIServer | None = None, engine: Engine = DEFAULT_ENGINE,
    ) -> Asker:  # fmt: skip
        """Load the model of a run (with the run's index and prompt), or any model by folder, hub id or ``embedded``.

        Args:
            name: A run directory or a model.
            system: For a run: ``rac``, ``grounded`` or ``ungrounded``; the best that is there if None.
            index: An index, or the folder of one, to use instead of the run's.
            openai: A server that generates; then ``name`` lends its tokenizer and, if it is a run, prompt and index,
                and no model is loaded. For ``steps`` only.
            engine: What computes the model; see ``ENGINES``.

        Raises:
            UserError: if there is no such run, model, system or index.
        """
        from rac.models import load_model, model_info
        from rac.retrieval import open_index

        opened = open_index(Path(index)) if isinstance(index, str | Path) else index
        path = Path(name)
        if openai is not None:
            return cls._on_server(path, opened, openai)
        if not (path / "run.json").exists():
            if system is not None:
                raise UserError(f"{name} is a model, not a run directory, so it has no system '{system}'; leave it out")
            model, tokenizer = load_model(name, merged=True)
            info = model_info(name)
            # Only what rac trained has something written beside it, and an export of what it did not says so.
            tuned = bool(info.get("tuned", info))
            label = name if tuned else f"{name} (not tuned to ask)"
            model, generator, label = _computed_by(engine, model, tokenizer, label, 48)
            return cls(
                model,
                tokenizer,
                name=label,
                generator=generator,
                index=opened,
                settings=PromptSettings.model_validate(info.get("prompt", {})),
                grounded=info.get("sees_passages", True),
                tuned=tuned,
            )
        from rac.pipeline.models import load_run_model, model_stage, models_of
        from rac.pipeline.run_directory import RunDirectory

        run = RunDirectory(path)
        there = models_of(run)
        system = system or next((s for s in RUN_SYSTEMS if s in there), None)
        if system is None:
            raise UserError(
                f"{path} has no trained model yet: finish it with rac train {path / 'recipe.yaml'} -o {path}"
            )
        if system not in there:
            raise UserError(f"{path} has no model '{system}'; {did_you_mean(system, there)}")
        model, tokenizer = load_run_model(run, model_stage(run.recipe, system), merged=True)
        tokens = run.recipe.evaluation.max_new_tokens
        model, generator, label = _computed_by(engine, model, tokenizer, f"{system} of {path}", tokens)
        return cls(
            model,
            tokenizer,
            name=label,
            generator=generator,
            index=opened if opened is not None else open_index(run / "index"),
            settings=run.recipe.prompt,
            grounded=system != "ungrounded",
            max_new_tokens=tokens,
        )

    @classmethod
    def _on_server(cls, path: Path, index: Index | None, server: OpenAIServer) -> Asker:
        from rac.generation.openai import OpenAIGenerator
        from rac.models import load_tokenizer
        from rac.retrieval import open_index

        tokenizer_of, settings, tokens = str(path), PromptSettings(), 48
        if (path / "run.json").exists():
            from rac.pipeline.run_directory import RunDirectory

            run = RunDirectory(path)
            tokenizer_of, settings = run.recipe.model.base, run.recipe.prompt
            tokens = run.recipe.evaluation.max_new_tokens
            index = open_index(run / "index") if index is None else index
        return cls(
            None,
            load_tokenizer(tokenizer_of),
            name=f"{server.model} on a server",
            index=index,
            settings=settings,
            tuned=False,
            max_new_tokens=tokens,
            generator=OpenAIGenerator(server, max_new_tokens=tokens),
        )

    def retrieve(self, query: str, top_k: int | None = None) -> list[Passage]:
        """Return D for a query from the index.

        Raises:
            UserError: if there is no index.
        """
        if self.index is None:
            raise UserError(
                "there is no index to retrieve from: give --index INDEX, --corpus DIR or --passages FILE with a model, "
                "or use a run directory"
            )
        return [hit.passage for hit in self.index.search_batch([query], top_k or self.settings.top_k)[0]]

    def ask(
        self,
        query: str,
        *,
        passages: Sequence[Passage] | None = None,
        top_k: int | None = None,
        n: int = 4,
        seed: int = 0,
        min_faithfulness: float = 1.0,
    ) -> Answer:
        """Ask about one query.

        The greedy question is taken if all its options are supported and different. Otherwise ``n - 1`` samples are
        drawn and the best supported candidate is taken.

        Args:
            query: U_q.
            passages: D; retrieved from the index if None.
            top_k: How many passages to retrieve.
            n: Candidates at most, at least 1.
            seed: Of the samples.
            min_faithfulness: Least mean support of the options, in 0..1.

        Raises:
            UserError: for an empty query, or without passages and index.
        """
        steps = self.steps(
            query, passages=passages, top_k=top_k, n=n, seed=seed, min_faithfulness=min_faithfulness
        )  # fmt: skip
        try:
            wanted = next(steps)
            while True:
                wanted = steps.send(self._generate(wanted))
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    def _generate(self, wanted: Wanted) -> list[str]:
        prompts = [wanted.prompt.ids]
        if not wanted.samples:
            return [self.generator.greedy(prompts, label="")[0].text]
        return [c.text for c in self.generator.sample(prompts, wanted.samples, seed=wanted.seed, label="")[0]]

    def steps(
        self,
        query: str,
        *,
        passages: Sequence[Passage] | None = None,
        top_k: int | None = None,
        n: int = 4,
        seed: int = 0,
        min_faithfulness: float = 1.0,
    ) -> Generator[Wanted, list[str], Answer]:
        """Do what ``ask`` does, but leave the generating to the caller: the service batches many queries' wishes.

        Yields what it wants generated, is sent the texts, and returns the answer. The arguments are those of ``ask``.
        """
        if not query.strip():
            raise UserError("the query is empty: give some words to ask about")
        started = time.perf_counter()
        found = list(passages) if passages is not None else self.retrieve(query, top_k)
        timings = {"retrieve": time.perf_counter() - started}
        if not found:
            return self.nothing_found(query, "no passage was given" if passages is not None else NOTHING, timings)
        started = time.perf_counter()
        prompt = build_prompt(self.tokenizer, query, found if self.grounded else None, self.settings)
        candidates = list((yield Wanted(prompt, 0, seed)))
        scores = [self._check(candidates[0], query, found)]
        if not self._passes(scores[0], min_faithfulness) and n > 1:
            candidates += yield Wanted(prompt, n - 1, seed)
            scores += [self._check(candidate, query, found) for candidate in candidates[1:]]
        timings["generate"] = time.perf_counter() - started
        # What is asked for comes first: of two faithful enough candidates the better one, however good a failed one is.
        passed = [self._passes(score, min_faithfulness) for score in scores]
        best = min(range(len(candidates)), key=lambda i: (not passed[i], _rank(scores[i], i)))
        options = link_evidence(scores[best], found)
        common = (options, scores[best].faithfulness if options else None, tuple(found), tuple(candidates), self.name)
        if passed[best]:
            reason = "" if best == 0 else f"the first question failed ({scores[0].reason}); this is a sampled one"
            return Answer(query, candidates[best], reason, *common, timings)
        if not self.tuned and (answer := self._from_template(query, found, tuple(candidates), timings)):
            return answer
        return Answer(query, None, self._refusal(scores[best], len(candidates), min_faithfulness), *common, timings)

    def nothing_found(self, query: str, why: str = NOTHING, timings: dict[str, float] | None = None) -> Answer:
        """Return the answer where D is empty."""
        reason = f"{why}, so there is nothing to ask from"
        return Answer(query, None, reason, (), None, (), (), self.name, timings or {})

    def _check(self, question: str, query: str, passages: Sequence[Passage]) -> SelectionScore:
        """Score a question; an option without a word that a passage could have ("the type") is not supported here."""
        score = self.scorer.score(question, query, passages)
        shown = [found is not None and bool(found.spans) for found in score.evidence]
        if all(shown):
            return score
        shares = [share if there else 0.0 for share, there in zip(score.shares, shown, strict=True)]
        return replace(
            score, shares=shares, supported=[ok and there for ok, there in zip(score.supported, shown, strict=True)],
            faithfulness=sum(shares) / len(shares), good=False, reason=score.reason or "unsupported-option",
        )  # fmt: skip

    def _passes(self, score: SelectionScore, min_faithfulness: float) -> bool:
        supported = [o for o, ok in zip(score.options, score.supported, strict=True) if ok]
        return len(supported) >= 2 and score.distinct and score.faithfulness >= min_faithfulness

    def _from_template(
        self, query: str, passages: list[Passage], candidates: tuple[str, ...], timings: dict[str, float]
    ) -> Answer | None:
        """Return the template's question, if all its options are supported and different."""
        from rac.generation.templates import typed_question

        question = typed_question(query, passages)
        score = self._check(question, query, passages)
        if not self._passes(score, 1.0):
            return None
        return Answer(
            query,
            question,
            f"none of {len(candidates)} candidates of the model is supported; this question is a template of the "
            "passages' titles and types",
            link_evidence(score, passages),
            score.faithfulness,
            tuple(passages),
            candidates,
            f"template, since {self.name} failed",
            timings,
        )

    @staticmethod
    def _refusal(score: SelectionScore, candidates: int, min_faithfulness: float) -> str:
        supported = sum(score.supported)
        options = f"{supported} option{'' if supported == 1 else 's'}"
        tried = f"the best of {candidates} candidates" if candidates > 1 else "the generated question"
        if not score.distinct:
            return f"{tried} offers the same option twice"
        if supported < 2:
            return f"{tried} has {options} that the passages support; two are needed"
        return f"{tried} has faithfulness {score.faithfulness:.2f}, and {min_faithfulness:.2f} is asked for"


def checked_engine(name: str | None) -> Engine:
    """Return the engine of that name, the default one for None.

    Raises:
        UserError: if there is none.
    """
    if name is None:
        return DEFAULT_ENGINE
    for engine in ENGINES:
        if engine == name:
            return engine
    raise UserError(f"'{name}' is no engine; {did_you_mean(name, ENGINES)}")


def _computed_by(engine: Engine, model: Any, tokenizer: Any, label: str, max_new_tokens: int) -> tuple[Any, Any, str]:
    """Return the model or None, the generator in its place or None, and what to call it.

    Raises:
        UserError: if llama.cpp is asked for and cannot compute the model.
    """
    why = "" if engine == "torch" else _why_not_llama_cpp(model)
    if engine == "torch" or (engine == "auto" and why):
        return model, None, label
    if why:
        raise UserError(f"the engine llama.cpp cannot be used: {why}")
    from rac.generation.llama_cpp import LlamaCppGenerator

    try:
        generator = LlamaCppGenerator.of(model, tokenizer, max_new_tokens=max_new_tokens)
    except (UserError, OSError) as error:
        # OSError: there is no room for its file.
        if engine == "llama.cpp":
            raise
        log.warning("computing with torch, since llama.cpp cannot: %s", error)
        return model, None, label
    return None, generator, f"{label} (llama.cpp, 16-bit weights)"


def _why_not_llama_cpp(model: Any) -> str:
    import importlib.util

    if importlib.util.find_spec("llama_cpp") is None:
        return (
            "llama-cpp-python is not installed (pip install 'rac-clarify[llama-cpp]'; it is compiled for this machine, "
            "which takes minutes)"
        )
    device = next(model.parameters()).device
    return "" if device.type == "cpu" else f"the model is on {device}, and only the CPU is supported there"


def _rank(score: SelectionScore, position: int) -> tuple[bool, bool, bool, float, int]:
    """Order candidates: good ones first, then distinct options, ones that tell passages apart, support, their order."""
    return (not score.good, not score.distinct, not score.apart, -score.faithfulness, position)


def link_evidence(score: SelectionScore, passages: Sequence[Passage]) -> tuple[Option, ...]:
    """Turn a selection score into options with their evidence in the passages."""
    linked = []
    for claim, share, supported, evidence in zip(
        score.options, score.shares, score.supported, score.evidence, strict=True
    ):
        spans: list[Evidence] = []
        if evidence is not None:
            passage = passages[evidence.passage]
            for name, start, end in evidence.spans:
                value = ", ".join(passage.types) if name == "types" else str(getattr(passage, name))
                spans.append(Evidence(passage.id, passage.title, name, start, end, value[start:end]))
        linked.append(Option(claim.text, claim.start, claim.end, supported, share, tuple(spans)))
    return tuple(linked)
