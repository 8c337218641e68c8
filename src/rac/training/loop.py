"""The loop of both stages: train, or continue a training, and leave finished weights behind."""

from __future__ import annotations

import torch
from transformers.utils import logging as transformers_logging

from rac.training.adapters import prepare_weights, save_memory, trainable_bytes
from rac.training.checkpoints import check_room, full_disk_explained, last_whole, remove_unusable
from rac.training.identity import RECORD
from rac.training.keeper import Job, Keeper
from rac.training.memory import kept_memory
from rac.training.plan import plan_steps
from rac.training.record import TrainingRecord
from rac.training.trainer import TreeTrainer, make_passes, trackers_explained, training_arguments


def run_training(job: Job) -> TrainingRecord:
    """Train, or continue a training, and save the weights.

    The output folder gets the weights (``model.safetensors`` with its configuration, or the adapter), the log
    ``training_log.jsonl`` and at last ``training.json``. While running, ``checkpoints/`` holds the last whole
    checkpoint.

    Raises:
        UserError: if the loss stops being a number, if the disk is full, or if the settings do not fit the model.
    """
    job.output_dir.mkdir(parents=True, exist_ok=True)
    (job.output_dir / RECORD).unlink(missing_ok=True)
    use_cache = getattr(job.model.config, "use_cache", True)
    model = prepare_weights(job.model, job.settings, job.seed)
    if job.settings.gradient_checkpointing:
        save_memory(model)
    steps = plan_steps(len(job.trees), job.settings.batch_size, job.settings.epochs, job.seed)
    device = next(model.parameters()).device
    args = training_arguments(str(job.checkpoints), job.settings, steps=len(steps), seed=job.seed, device=device)
    trained, everything = trainable_bytes(model)
    saved = trained if job.settings.adapter == "lora" else everything
    if args.process_index == 0:
        # A checkpoint holds the weights and two moments of each trained one; the final weights come on top.
        check_room(job.output_dir, 2 * saved + 2 * trained)
    if args.process_index == 0:
        remove_unusable(job.checkpoints, job.fingerprint)
    if args.world_size > 1:
        torch.distributed.barrier()
    found = last_whole(job.checkpoints, job.fingerprint)
    keeper = Keeper(job, steps, found)
    with trackers_explained(job.settings.report_to):
        trainer = TreeTrainer(
            model, args,
            passes=make_passes(job.trees, steps, job.objective, job.settings.accumulation, args.world_size),
            objective=job.objective, plain=job.plain, max_row_tokens=job.settings.max_row_tokens, callbacks=[keeper],
        )  # fmt: skip
    keeper.trainer = trainer
    trainer.complete = keeper.complete
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with kept_memory(job.settings.keep_memory), full_disk_explained(job.output_dir):
            trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
            model.config.use_cache = use_cache
        with full_disk_explained(job.output_dir):
            return keeper.finish(model)
    except BaseException:
        if args.process_index == 0:
            remove_unusable(job.checkpoints, job.fingerprint)
        raise
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
        model.config.use_cache = use_cache
        keeper.progress.close()
