"""Predict over a file: one greedy question for each example, resumable and in order."""

from __future__ import annotations

import logging
from pathlib import Path

from rac.asking import Asker
from rac.errors import UserError
from rac.files import ResumableLines, read_records, sha256_file, sha256_json, write_records
from rac.progress import Progress
from rac.prompting import build_prompt
from rac.records import ClarificationExample, Passage, Prediction

log = logging.getLogger(__name__)

_CHUNK = 16


def predict_file(asker: Asker, examples_path: Path, output: Path, *, top_k: int | None = None) -> tuple[int, int]:
    """Write a prediction for each example of a file, in its order.

    An interrupted run leaves ``OUTPUT.part`` beside the output, and the same call goes on from there.

    Args:
        asker: The model, with an index where examples bring no passages.
        examples_path: Examples; their passages, where they have any, are D.
        output: Where the predictions are written, at the end, as a whole.
        top_k: How many passages to retrieve.

    Returns:
        How many predictions were written, and how many of them are empty because nothing was retrieved.
    """
    examples = read_records(examples_path, ClarificationExample)
    if not examples:
        raise UserError(f"{examples_path} holds no example; each line is one JSON object with at least id and query")
    digest = sha256_json([sha256_file(examples_path), asker.name, top_k, asker.settings.model_dump(mode="json")])
    lines = ResumableLines(output.with_name(output.name + ".part"), digest)
    contexts: dict[str, list[Passage]] = {}
    for example in examples:
        contexts[example.id] = list(example.passages) or asker.retrieve(example.query, top_k)
    todo = [e for e in examples if e.id not in lines.done]
    with Progress("predicting", len(examples), unit="queries", done=len(lines.done)) as progress:
        for start in range(0, len(todo), _CHUNK):
            chunk = todo[start : start + _CHUNK]
            askable = [e for e in chunk if contexts[e.id]]
            prompts = [
                build_prompt(asker.tokenizer, e.query, contexts[e.id] if asker.grounded else None, asker.settings).ids
                for e in askable
            ]
            asked = asker.generator.greedy(prompts, label="") if prompts else []
            found = {e.id: candidate.text for e, candidate in zip(askable, asked, strict=True)}
            lines.add({e.id: found.get(e.id, "") for e in chunk})
            progress.advance(len(chunk))
    predictions = [
        Prediction(
            id=e.id,
            question=lines.done[e.id],
            system=asker.name,
            passages=tuple(contexts[e.id]),
            reason="" if contexts[e.id] else "nothing was retrieved",
        )
        for e in examples
    ]
    write_records(output, predictions, model=asker.name)
    lines.remove()
    return len(predictions), sum(not contexts[e.id] for e in examples)
