"""Questions sampled from the models of a run; kept in ``work/``, so that the same ones are never sampled twice."""

from __future__ import annotations

from rac.files import ResumableLines, sha256_json
from rac.pipeline.models import load_run_model, sampling_dtype
from rac.pipeline.run_directory import RunDirectory
from rac.progress import Progress
from rac.prompting import Prompt

_ROWS = 64
"""Questions sampled at once: a step of decoding reads all weights, so few rows waste it."""


def sample_questions(
    run: RunDirectory, stage: str, prompts: dict[str, Prompt], n: int, *, seed: int, greedy: bool = False
) -> dict[str, list[str]]:
    """Sample ``n`` questions for each prompt from a model of the run; an interrupted loop goes on where it was.

    The first samples of a prompt do not depend on how many are asked for, so what was sampled for one purpose serves
    another. Questions that were cut off at the length limit are left out: they are no candidate for either side of a
    pair.

    Args:
        run: The run.
        stage: The stage that trained the model.
        prompts: Prompt by id.
        n: Samples of each.
        seed: Of the samples.
        greedy: Take the one question that the model would ask instead of samples; ``n`` is 1.

    Returns:
        At most ``n`` questions by id.
    """
    from rac.generation.local import LocalGenerator

    settings = run.recipe.pairs
    dtype = sampling_dtype(run)
    digest = sha256_json(
        {
            "model": run.output_hash(stage),
            "settings": {} if greedy else settings.model_dump(mode="json", include={"temperature", "top_p", "top_k"}),
            "dtype": dtype,
            "seed": None if greedy else seed,
            "max_new_tokens": run.recipe.evaluation.max_new_tokens,
        }
    )
    lines = ResumableLines(run / "work" / f"{'greedy' if greedy else 'samples'}-{stage}.jsonl", digest)
    keys = {identity: sha256_json(prompt.ids)[:24] for identity, prompt in prompts.items()}
    missing = {keys[i]: p for i, p in prompts.items() if len(lines.done.get(keys[i], ())) < n}
    if missing:
        model, tokenizer = load_run_model(run, stage, dtype=dtype, merged=True)
        generator = LocalGenerator(model, tokenizer, max_new_tokens=run.recipe.evaluation.max_new_tokens)
        order = sorted(missing, key=lambda key: (len(missing[key].ids), key))
        with Progress(
            f"{'asking' if greedy else 'sampling from'} {stage}",
            len(prompts),
            unit="queries",
            done=len(prompts) - len(order),
        ) as progress:
            size = max(1, _ROWS // n)
            for start in range(0, len(order), size):
                chunk = order[start : start + size]
                ids = [list(missing[key].ids) for key in chunk]
                if greedy:
                    sampled = [[candidate] for candidate in generator.greedy(ids, label="")]
                else:
                    sampled = generator.sample(
                        ids, n, temperature=settings.temperature, top_p=settings.top_p, top_k=settings.top_k,
                        seed=seed, label="",
                    )  # fmt: skip
                lines.add(
                    {
                        key: [c.text if c.finished else None for c in own]
                        for key, own in zip(chunk, sampled, strict=True)
                    }
                )
                progress.advance(len(chunk))
    return {identity: [text for text in lines.done[key][:n] if text is not None] for identity, key in keys.items()}
