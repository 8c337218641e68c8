"""``rac train-entailment``: make the shipped entailment model again, or one of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command("train-entailment")
def train_entailment(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the finished model.")],
    mirror: Annotated[
        Path,
        typer.Option(
            envvar="RAC_MIRROR", help="Folder with the data sets as OWNER/REPO/PATH (see docs/entailment.md)."
        ),
    ],
    work: Annotated[
        Path | None, typer.Option(help="Folder for weights and log; with weights in it, only export and measure.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="float32, or bfloat16 (faster with AMX and on AMD's with AVX-512 BF16, slow elsewhere).")
    ] = "float32",
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of data and training.")] = 7,
) -> None:
    """Train, calibrate, export and measure the small entailment model that rac ships.

    Example: RAC_MIRROR=data rac train-entailment -o entailment_data --precision bfloat16
    """
    from rac.errors import UserError
    from rac.metrics.entailment_training.build import Sizes, build
    from rac.metrics.entailment_training.train import TrainSettings

    if precision not in ("float32", "bfloat16"):
        raise UserError(f"precision '{precision}' is not known; give float32 or bfloat16")
    if not mirror.is_dir():
        raise UserError(f"the data folder {mirror} is no folder; RAC_MIRROR must name one with the data sets")
    settings = TrainSettings(precision=precision, threads=threads, seed=seed)
    config = build(mirror, output, work or output.with_name(output.name + ".work"), settings, Sizes())
    for name, table in config["figures_int8"]["claims"].items():
        typer.echo(f"{name}: AUC {table['auc_unseen_kinds']:.3f} on kinds and words not seen in training")
    typer.echo(f"model written to {output}")
