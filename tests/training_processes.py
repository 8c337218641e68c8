"""What the process tests run in processes of their own: trainings that are killed, and trainings side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["training_support", "rac.training.supervised", "rac.training.preference"])


def start(function: Any, *arguments: Any) -> Any:
    """Start a function in a new process, which starts from a clean server that has everything imported."""
    process = _CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train(stage: str, folder: str, kill: str, options: dict[str, Any]) -> None:
    """Train a tiny model for 9 steps with a checkpoint after each; die at the point that ``kill`` names."""
    import torch

    from rac.training import checkpoints, keeper, trainer
    from rac.training.preference import train_preference
    from rac.training.settings import Stage1, Stage2
    from rac.training.supervised import train_supervised
    from training_support import fixed_pairs, fixed_trees, tiny_llama

    torch.set_num_threads(1)
    point, _, number = kill.partition(":")
    count = 0

    def on_the_nth(function: Any, *, after: bool = False) -> Any:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            nonlocal count
            count += 1
            if count == int(number) and not after:
                _die()
            result = function(*arguments, **keywords)
            if count == int(number):
                _die()
            return result

        return counted

    if point == "step":
        trainer.TreeTrainer.compute_loss = on_the_nth(trainer.TreeTrainer.compute_loss)
    elif point == "optimizer file":
        torch.save = on_the_nth(torch.save)
    elif point == "marker":
        keeper.mark_whole = on_the_nth(keeper.mark_whole)
    elif point == "rotation":
        checkpoints.shutil.rmtree = on_the_nth(checkpoints.shutil.rmtree)
    elif point == "final weights":
        Path.replace = on_the_nth(Path.replace, after=True)
    elif point:
        raise ValueError(point)

    common = {"batch_size": 4, "epochs": 3, "learning_rate": 1e-2, "checkpoint_seconds": 0, **options}
    if stage == "supervised":
        train_supervised(tiny_llama(), fixed_trees(12), Stage1(**common), output_dir=folder, seed=1)
    else:
        train_preference(tiny_llama(), fixed_pairs(12), Stage2(loss="dpo", **common), output_dir=folder, seed=1)


def train_as_rank(rank: int, world: int, port: int, stage: str, folder: str, options: dict[str, Any]) -> None:
    """Take part in a training of several processes."""
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )  # fmt: skip
    train(stage, folder, "", options)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
