"""``rac export gguf|merged|adapter``: a trained model as another engine loads it (called by ``export.py``)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import typer

from rac.errors import UserError

MODEL_FORMATS = ("gguf", "merged", "adapter")
SYSTEMS = ("rac", "grounded", "ungrounded")
_CHECKED_QUERIES = ("dune", "who is King?", "mercury orbit", "Which rescue came out in 1984?")


def export_model(kind: str, source: str, output: Path, system: str | None, dtype: str | None, check: bool) -> None:
    """Write a model.

    Args:
        kind: One of ``MODEL_FORMATS``.
        source: A run directory, a model or adapter folder, a hub id or ``embedded``.
        output: The file (gguf; an existing one is replaced) or folder (only an earlier export is replaced).
        system: Which model of a run; the last one trained if None.
        dtype: Of the weights; f16 (gguf) or float32 (merged) if None.
        check: Compare a GGUF file's greedy output, read back and, where it is installed, in llama.cpp.
    """
    from rac.models_export import export_adapter, export_gguf, export_merged

    logging.getLogger("gguf").setLevel(logging.WARNING)
    model, info = _find(source, system)
    if kind == "adapter":
        if dtype is not None:
            raise UserError("an adapter is written as it is, so --dtype says nothing: leave it out")
        export_adapter(model, output, info=info)
    elif kind == "merged":
        known = ("float32", "bfloat16", "float16")
        if dtype is not None and dtype not in known:
            raise UserError(f"--dtype {dtype} is no type of merged weights: give {', '.join(known)}")
        export_merged(model, output, dtype=dtype or "float32", info=info)
    else:
        types = {"f32": "f32", "f16": "f16", "q8_0": "q8_0"}
        if (dtype or "f16") not in types:
            raise UserError(
                f"--dtype {dtype} is no type of a GGUF file that can be written here: give {', '.join(types)}"
            )
        if output.is_dir():
            raise UserError(f"{output} is a folder where a file is written; give a name such as {output / 'rac.gguf'}")
        export_gguf(model, output, dtype=types[dtype or "f16"], name=Path(source).name)  # type: ignore[arg-type]
        if check:
            _check(model, output, dtype or "f16")
    typer.echo(f"Written to {output}")


def _find(source: str, system: str | None) -> tuple[str | Path, dict[str, Any]]:
    """Return the model that is meant (of a run the named one, else the last trained), and what the run knows of it."""
    run = Path(source)
    if not (run / "run.json").exists():
        if system is not None:
            raise UserError(
                f"--system {system} names a model of a run, and '{source}' is no run directory: leave it out"
            )
        return source, {}
    from rac.models_export import run_model_info
    from rac.pipeline.models import model_folder
    from rac.pipeline.run_directory import RunDirectory

    opened = RunDirectory(run)
    here = [name for name in SYSTEMS if model_folder(opened, name).is_dir()]
    if not here:
        raise UserError(f"{run} holds no trained model yet: run rac train first")
    if system is not None and system not in here:
        raise UserError(f"{run} has no model '{system}': it has {', '.join(here)}")
    name = system or here[0]
    return model_folder(opened, name), run_model_info(opened.recipe, name)


def _check(model: str | Path, output: Path, dtype: str) -> None:
    import importlib.util

    from rac.models import load_model
    from rac.models_export import check_gguf, check_in_llama_cpp
    from rac.prompting import build_prompt

    loaded, tokenizer = load_model(model)
    prompts = [build_prompt(tokenizer, query, None).text for query in _CHECKED_QUERIES]
    checks = {"Read back by transformers": check_gguf}
    if importlib.util.find_spec("xllamacpp") is not None:
        checks["In llama.cpp"] = check_in_llama_cpp
    for name, check in checks.items():
        different = check(output, loaded, tokenizer, prompts)
        if different and dtype == "f32":
            raise UserError(
                f"{output} was written, but gives another greedy output than the model for {different} of "
                f"{len(prompts)} prompts ({name[0].lower()}{name[1:]}): do not use it, and report this with the "
                "model's name"
            )
        typer.echo(
            f"{name}: {len(prompts) - different} of {len(prompts)} greedy outputs equal the model's"
            + (f" ({dtype} rounds weights, which can turn a close decision)" if different else "")
        )
    if len(checks) == 1:
        typer.echo("Not loaded into llama.cpp itself: pip install 'rac-clarify[llama]' for that check")
