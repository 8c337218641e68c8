"""Predict over a file: one greedy question for each example, resumable and in order, on one machine or several.

What became of each item is written down as soon as it is known, in ``OUTPUT.part``; the output itself appears at the
end, as a whole, in the order of the examples. An item that fails does not stop the others: its prediction is empty and
says why.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rac.asking import DEFAULT_ENGINE, Asker, Engine
from rac.errors import UserError
from rac.files import ResumableLines, parse_record, read_records, sha256_file, sha256_json, write_records
from rac.progress import Progress
from rac.prompting import Prompt, build_prompt
from rac.records import ClarificationExample, Passage, Prediction

if TYPE_CHECKING:
    from rac.generation.openai_settings import OpenAIServer

log = logging.getLogger(__name__)

BATCH = 16
"""Examples that are asked about together, and at most lost when the process is killed."""

NOTHING_RETRIEVED = "nothing was retrieved"


@dataclass(frozen=True)
class Outcome:
    """What became of one example.

    Attributes:
        prediction: What is written; without a question its ``reason`` says why.
        again: Whether asking again may help (a server was down); such an item is not taken for done.
    """

    prediction: Prediction
    again: bool = False


@dataclass(frozen=True)
class Summary:
    """What came of a file.

    Attributes:
        written: Predictions in the output.
        failures: Reason -> items that have no question because of it.
        again: Items that the same call would ask about again.
    """

    written: int
    failures: dict[str, int]
    again: int


@dataclass(frozen=True)
class Source:
    """From what ``Asker.open`` makes an asker: plain values, so that other processes can open the same one.

    The fields are the arguments of ``Asker.open``.
    """

    name: str
    system: str | None = None
    index: str | None = None
    openai: OpenAIServer | None = None
    engine: Engine = DEFAULT_ENGINE

    def open(self) -> Asker:
        """Open it."""
        return Asker.open(
            self.name, system=self.system, index=self.index, openai=self.openai, engine=self.engine
        )  # fmt: skip


Asking = Callable[[Sequence[ClarificationExample]], Iterable[Outcome]]
"""Asks about examples and yields what became of them, in any order."""


def predict_file(
    asker: Asker, examples_path: Path, output: Path, *, top_k: int | None = None, asking: Asking | None = None
) -> Summary:
    """Write a prediction for each example of a file, in its order.

    An interrupted run leaves ``OUTPUT.part`` beside the output, and the same call goes on from there; so it does where
    a server failed for some items, and then asks about these only. Where no item was answered at all, or the server
    refuses the key, its rights, the address or the model, an output that is there stays as it is.

    Args:
        asker: The model, with an index where examples bring no passages.
        examples_path: Examples; their passages, where they have any, are D.
        output: Where the predictions are written, at the end, as a whole.
        top_k: How many passages to retrieve.
        asking: What asks instead of ``asker`` in this process.

    Raises:
        UserError: without any example, without an index where one is needed, or if a server answered none of them.
        AccessError: if a server refuses the key, its rights, the address or the model; what was answered is kept.
    """
    examples = read_records(examples_path, ClarificationExample)
    if not examples:
        raise UserError(f"{examples_path} holds no example; each line is one JSON object with at least id and query")
    if asker.index is None and any(not e.passages for e in examples):
        without = next(e.id for e in examples if not e.passages)
        raise UserError(
            f"example '{without}' of {examples_path} brings no passages and there is no index to retrieve from: give "
            "--index INDEX, or use a run directory"
        )
    own = identity(asker, retrieves=any(not e.passages for e in examples))
    digest = sha256_json([sha256_file(examples_path), own, top_k, asker.settings.model_dump(mode="json")])
    part = output.with_name(output.name + ".part")
    lines = ResumableLines(part, digest)
    todo = [e for e in examples if e.id not in lines.done]
    if len(todo) < len(examples):
        log.info("%d of %d examples were asked about before", len(examples) - len(todo), len(examples))
    passing: dict[str, Prediction] = {}
    with Progress("predicting", len(examples), unit="queries", done=len(lines.done)) as progress:
        for outcome in (asking or (lambda some: ask_in_batches(asker, some, top_k)))(todo):
            prediction = outcome.prediction
            if outcome.again:
                passing[prediction.id] = prediction
            elif prediction.id not in lines.done:
                lines.add({prediction.id: prediction.to_dict()})
            progress.advance()
    if len(passing) == len(examples):
        raise UserError(
            f"none of the {len(examples)} examples could be asked about, so {output} is not written; the first one: "
            f"{passing[examples[0].id].reason}"
        )
    predictions = [passing.get(e.id) or parse_record(Prediction, lines.done[e.id], part) for e in examples]
    write_records(output, predictions, model=asker.name)
    if not passing:
        lines.remove()
    return Summary(len(predictions), dict(Counter(p.reason for p in predictions if not p.question)), len(passing))


def identity(asker: Asker, *, retrieves: bool = True) -> str:
    """Return a hash of what asks: name, weights (a retrained model is another one), longest question, and the index.

    Args:
        asker: What asks.
        retrieves: Whether the index counts.
    """
    index = asker.index.info() if asker.index is not None and retrieves else {}
    # How it is searched changes nothing of what is found.
    settings = {k: v for k, v in index.get("settings", {}).items() if k not in ("threads", "build_threads", "uri")}
    return sha256_json(
        [
            asker.name,
            getattr(asker.generator, "digest", ""),
            getattr(asker.generator, "max_new_tokens", None),
            {**{key: index.get(key) for key in ("corpus", "passages", "entries", "retrievers")}, "settings": settings},
        ]
    )


def ask_in_batches(asker: Asker, examples: Sequence[ClarificationExample], top_k: int | None) -> Iterator[Outcome]:
    """Ask about examples, batch by batch with a model in this process, all at once with a server.

    Raises:
        AccessError: if a server refuses the key, its rights, the address or the model.
    """
    if hasattr(asker.generator, "greedy") and not hasattr(asker.generator, "ask"):
        for first in range(0, len(examples), BATCH):
            yield from _ask_locally(asker, examples[first : first + BATCH], top_k)
    else:
        yield from _ask_server(asker, examples, top_k)


def _prepare(
    asker: Asker, example: ClarificationExample, top_k: int | None
) -> tuple[list[Passage], Prompt | None, str]:  # fmt: skip
    """Return D, the prompt, and why there is none."""
    found = list(example.passages) or asker.retrieve(example.query, top_k)
    if not found:
        return found, None, NOTHING_RETRIEVED
    try:
        prompt = build_prompt(asker.tokenizer, example.query, found if asker.grounded else None, asker.settings)
        if hasattr(asker.generator, "check"):
            asker.generator.check([prompt.ids])
    except UserError as error:
        return found, None, str(error)
    return found, prompt, ""


def _outcome(
    asker: Asker, example: ClarificationExample, found: list[Passage], question: str, reason: str, again: bool = False
) -> Outcome:
    if not question and not reason:
        reason = "the model asked nothing"
    prediction = Prediction(
        id=example.id, question=question, system=asker.name, passages=tuple(found), reason="" if question else reason
    )
    return Outcome(prediction, again)


def _ask_locally(asker: Asker, examples: Sequence[ClarificationExample], top_k: int | None) -> Iterator[Outcome]:
    prepared = [(e, *_prepare(asker, e, top_k)) for e in examples]
    prompts = [prompt.ids for _, _, prompt, _ in prepared if prompt is not None]
    answers = iter(asker.generator.greedy(prompts, label="") if prompts else [])
    for example, found, prompt, reason in prepared:
        question = next(answers).text if prompt is not None else ""
        yield _outcome(asker, example, found, question, reason)


def _ask_server(asker: Asker, examples: Sequence[ClarificationExample], top_k: int | None) -> Iterator[Outcome]:
    from rac.generation.openai_budget import BackendError, BudgetError

    # Bounded groups, so that a large file is not held as prompts all at once.
    size = 64 * asker.generator.settings.concurrency
    for first in range(0, len(examples), size):
        waiting: list[tuple[ClarificationExample, list[Passage], Prompt]] = []
        for example in examples[first : first + size]:
            found, prompt, reason = _prepare(asker, example, top_k)
            if prompt is None:
                yield _outcome(asker, example, found, "", reason)
            else:
                waiting.append((example, found, prompt))
        chats = [prompt.messages for _, _, prompt in waiting]
        for position, result in asker.generator.ask(chats, 1, label="", temperature=0.0):
            example, found, _ = waiting[position]
            if isinstance(result, BackendError):
                again = result.retry or isinstance(result, BudgetError)
                yield _outcome(asker, example, found, "", str(result), again)
            else:
                yield _outcome(asker, example, found, result[0].text, "")


def with_system(name: str, system: str | None, server: Any) -> tuple[str | None, Any]:
    """Return the system and the server to ask: ``openai`` is the server that the run's recipe names.

    Raises:
        UserError: if the recipe names no model on a server.
    """
    if system != "openai":
        return system, server
    from rac.config import load_recipe

    recipe = Path(name) / "recipe.yaml"
    if not recipe.exists():
        raise UserError(f"{name} is no run directory, so it names no server: give --server FILE instead of --system")
    settings = load_recipe(recipe).openai
    if not settings.model:
        raise UserError(f"{recipe} names no model on a server: set openai.url and openai.model there, or give --server")
    return None, settings
