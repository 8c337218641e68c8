"""Adapters to give away: a run's three low-rank adapters in half precision, each with a model card.

The card is written from the run's own records: what it was trained on and under which licence, how, and what was
measured. Nothing on it is typed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rac.config import Recipe
from rac.errors import UserError
from rac.files import atomic_path, read_json, write_text
from rac.models import EMBEDDED
from rac.models_export import export_adapter, run_model_info
from rac.pipeline.data import UNLABELLED
from rac.pipeline.models import model_folder
from rac.pipeline.preference import Variant, round_variants
from rac.pipeline.run_directory import RunDirectory
from rac.progress import format_seconds
from rac.report.data import MetricInfo, Table
from rac.report.markdown import escape, metrics_table

SHIPPED_MODELS = ("grounded", "ungrounded", "rac")
_ABOUT = {
    "grounded": "stage 1 with passages: p(question given query and passages)",
    "ungrounded": "stage 1 without passages: p(question given query)",
    "rac": "stage 2: `grounded` after contrastive preference tuning on faithful against less faithful questions",
}
_SHOWN = ("headline", "good", "hallucinated", "same_option", "rouge_l", "options")
_EMBEDDED_CARD = "SmolLM2-135M-Instruct (Apache-2.0)"


def ship(run: RunDirectory, folder: Path | str, *, limit_mb: float = 10.0) -> dict[str, int]:
    """Write ``FOLDER/{grounded,ungrounded,rac}`` with float16 weights, configuration and card.

    Args:
        run: A finished run whose stages trained adapters (``adapter: lora``).
        folder: Where to; each adapter's folder is replaced as a whole.
        limit_mb: Most megabytes of one adapter.

    Returns:
        Bytes of each adapter's folder.

    Raises:
        UserError: if a model is missing or no adapter, or one is larger than the limit.
    """
    missing = [name for name in SHIPPED_MODELS if not model_folder(run, name).is_dir()]
    if missing:
        raise UserError(f"{run.path} has no model '{missing[0]}' yet: finish it with rac train")
    full = [n for n in SHIPPED_MODELS if not (model_folder(run, n) / "adapter_config.json").exists()]
    if full:
        raise UserError(
            f"{', '.join(full)} of {run.path}: full weights, too large to ship; train with training.adapter=lora and "
            "preference.adapter=lora"
        )
    if run.record("metrics") is None:
        raise UserError(f"{run.path} has no metrics yet, so the cards would have no figures: finish it with rac train")
    sizes = {}
    for name in SHIPPED_MODELS:
        with atomic_path(Path(folder) / name) as temporary:
            export_adapter(model_folder(run, name), temporary, info=run_model_info(run.recipe, name))
            _halve(temporary / "adapter_model.safetensors")
            write_text(temporary / "README.md", model_card(run, name))
            sizes[name] = sum(p.stat().st_size for p in temporary.iterdir())
            if sizes[name] > limit_mb * 1e6:
                raise UserError(
                    f"the adapter '{name}' has {sizes[name] / 1e6:.1f} MB and may have {limit_mb:g}: train with a "
                    "smaller lora_rank"
                )
    return sizes


def _halve(path: Path) -> None:
    """Store the weights of a safetensors file in half precision."""
    import torch
    from safetensors.torch import load_file, save_file

    save_file({name: tensor.to(torch.float16) for name, tensor in load_file(path).items()}, path, {"format": "pt"})


def model_card(run: RunDirectory, name: str) -> str:
    """Return a model's card as Markdown: base, data and licence, training, figures, use, limits."""
    recipe = run.recipe
    base = _EMBEDDED_CARD if recipe.model.base == EMBEDDED else f"`{recipe.model.base}`"
    lines = [
        f"# rac: `{name}`",
        "",
        f"A LoRA adapter of {base} that asks one clarifying question about a search query; {_ABOUT[name]}. Load it as "
        f"`embedded:{name}`, with `peft`, or from this folder.",
        "",
        "## Data",
        "",
        *_data(recipe),
        "",
        *_counts(run, name),
        "",
        "## Training",
        "",
        *_training(run, name),
        "",
        "## Figures",
        "",
        *_figures(run),
        "",
        "## Use and limits",
        "",
        "For English queries over a corpus whose passages have titles or types. It asks about names that several "
        "passages share and about what they differ in; other kinds of ambiguity were hardly in its data. It can still "
        "offer what no passage says: the tables tell how often. `rac ask` checks every option and refuses a question "
        "without support. The query is taken to be ambiguous; whether to ask at all is not decided here.",
        "",
        "The whole recipe:",
        "",
        "```yaml",
        recipe.to_yaml().rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def _data(recipe: Recipe) -> list[str]:
    from rac.benchmarks import READERS

    lines = ["| data | licence | where from |", "| --- | --- | --- |"]
    for source in (recipe.data.source, *recipe.data.also):
        known = READERS.get(source.lower())
        if known is not None:
            cells = (escape(known.info.title), escape(known.info.licence), f"<{known.info.url}>")
        elif source == "bootstrap":
            corpus = recipe.data.corpus or "wikipedia"
            licence = "text: CC BY-SA (Wikipedia)" if corpus == "wikipedia" else "that of the corpus"
            cells = (f"made from the corpus '{escape(corpus)}'", licence, "`rac bootstrap`")
        else:
            cells = (escape(Path(source).name), "that of the file", "a file")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _counts(run: RunDirectory, name: str) -> list[str]:
    data = (run.record("data") or {}).get("counts", {})
    stage1 = (run.record("grounded") or {}).get("counts", {})
    text = (
        f"{stage1.get('queries kept', 0)} queries with {stage1.get('questions kept', 0)} questions in stage 1"
        f" (of {data.get('train', 0)}; the others have an option that the prompt does not support)"
    )
    if name == "rac":
        made = [
            f"{(run.record(v.pairs) or {}).get('counts', {}).get('pairs', 0)}{_without_gold(v)}"
            for v in round_variants(run.recipe)
        ]
        text += f"; {', then '.join(made)} preference pairs in stage 2"
    return [f"{text}. {data.get('evaluation', 0)} queries were held out, no group of queries is on both sides."]


def _without_gold(variant: Variant) -> str:
    """Return, in brackets, which queries a round took without their gold questions; nothing if it read these."""
    queries = "other queries" if variant.split == UNLABELLED else "queries of stage 1"
    if variant.mined:
        return f" (on {queries} that the model asked a faulty question about)"
    return f" (on {queries}, without gold)" if variant.split == UNLABELLED else ""


def _training(run: RunDirectory, name: str) -> list[str]:
    from rac.pipeline.models import model_stage

    stages = {"ungrounded": ["ungrounded"], "grounded": ["grounded"]}.get(name, ["grounded", *_rounds(run)])
    lines = ["| stage | steps | tokens read | target tokens | time | peak memory |", "| --- |" + " ---: |" * 5]
    for stage in stages:
        record = run.record(stage) or {}
        made = record["counts"]["training"]
        cells = (
            stage,
            f"{made['steps']:,}",
            f"{made['tokens']:,}",
            f"{made['target_tokens']:,}",
            format_seconds(record["seconds"]),
            f"{record['peak_memory_mb']:,} MB",
        )
        lines.append("| " + " | ".join(cells) + " |")
    versions = ", ".join(f"{k} {v}" for k, v in (run.record(model_stage(run.recipe, name)) or {})["versions"].items())
    return [*lines, "", f"Seed {run.recipe.seed}; {versions}."]


def _rounds(run: RunDirectory) -> list[str]:
    from rac.pipeline.models import rounds_of

    return rounds_of(run.recipe)


def _figures(run: RunDirectory) -> list[str]:
    metrics = read_json(run / "metrics.json")
    infos = [MetricInfo(**info) for info in metrics["metrics"] if info["name"] in _SHOWN]
    lines = []
    for entry in metrics["tables"]:
        table = Table(entry["name"], entry["systems"], entry["comparisons"], entry.get("note", ""))
        shown = [m for m in infos if any(m.name in summaries for summaries in table.systems.values())]
        lines += [f"{escape(table.name)}. {escape(table.note)}", "", metrics_table(table, shown), ""]
    notes: list[Any] = metrics["notes"]
    return [*lines, *(f"Note: {escape(note)}." for note in notes), f"Signature: `{metrics['signature']}`"]
