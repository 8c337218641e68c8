"""Splitting examples into a run's four parts, whole clusters (query group, topic, document) in one part."""

from __future__ import annotations

from collections.abc import Iterable

from rac.benchmarks.splits import take_part
from rac.config import Recipe
from rac.errors import UserError
from rac.pipeline.context import seeded
from rac.pipeline.sources import BySplit
from rac.records import ClarificationExample


def held_out_of(by_split: BySplit, recipe: Recipe) -> tuple[BySplit, list[ClarificationExample]]:
    """Return the source's splits without what is held out, and the examples that are.

    With ``data.fold`` that is a fold of all examples with a gold question, whatever their split. Else it is the
    source's test (or evaluation) split; its validation (or dev) split where it has no such; nothing where it has
    neither, or with ``data.held_out: training``, which leaves out what the source holds out.
    """
    if recipe.data.fold:
        everything = [e for name in sorted(by_split) for e in by_split[name] if e.questions]
        number, _, k = recipe.data.fold.partition("/")
        held_out = take_part(everything, f"fold {number}/{k}")
        rest = [] if k == "1" else take_part(everything, f"but {number}/{k}")
        return {"train": rest}, held_out
    train = [e for e in by_split.get("train", []) if e.questions]
    held_out = by_split.get("test", []) + by_split.get("evaluation", [])
    validation = by_split.get("validation", []) + by_split.get("dev", [])
    if not held_out:
        # Benchmarks here have no test split: their validation split is what is held out.
        held_out, validation = validation, []
    if recipe.data.held_out == "training":
        return {"train": without_clusters_of(train, held_out), "validation": validation}, []
    return {"train": train, "validation": validation}, held_out


def split_examples(by_split: BySplit, recipe: Recipe) -> BySplit:
    """Split examples by cluster into the run's four parts.

    Training examples without a gold question are left out. Where the source has no held-out split (or
    ``data.held_out`` is ``training``), a fifth of the training clusters is held out; where it has no validation split,
    a tenth of the training clusters is.

    Raises:
        UserError: if nothing is left to train on or to evaluate.
    """
    rest, held_out = held_out_of(by_split, recipe)
    train, validation = rest["train"], rest.get("validation", [])
    if not held_out:
        train, held_out = _split_off(train, 0.2, recipe.seed, "evaluation")
    train = without_clusters_of(train, [*validation, *held_out])
    validation = without_clusters_of(validation, held_out)
    if not validation:
        train, validation = _split_off(train, 0.1, recipe.seed, "validation")
    train = limited(train, recipe.data.train_queries, recipe.seed, "train")
    stage1, pairs = _split_off(train, recipe.data.stage2_share, recipe.seed, "pairs")
    evaluation = limited(held_out, recipe.data.evaluation_queries, recipe.seed, "evaluation")
    parts = {"train": stage1, "pairs": pairs, "validation": validation, "evaluation": evaluation}
    for name, needed in (("train", "to train on"), ("pairs", "to make pairs from"), ("evaluation", "to evaluate")):
        if not parts[name]:
            raise UserError(
                f"the source '{recipe.data.source}' leaves no query {needed} after splitting by query group; it needs "
                "at least about ten queries with gold questions"
            )
    return parts


def evaluation_only(
    by_split: BySplit, recipe: Recipe, trained_on: Iterable[ClarificationExample]
) -> tuple[BySplit, int]:
    """Return parts of which only ``evaluation`` is filled, for models that were trained on other data.

    It is what a run on this source would hold out, or everything that has a gold question where that is nothing or
    ``data.fold`` is ``1/1``; without the queries and clusters that the models were trained on.

    Args:
        by_split: The source's splits.
        recipe: Its ``data`` section counts.
        trained_on: What the models were trained on.

    Returns:
        The parts, and how many examples were left out because the models know them.

    Raises:
        UserError: if nothing is left.
    """
    rest, held_out = held_out_of(by_split, recipe)
    if not held_out:
        held_out = [e for e in rest["train"] if e.questions]
    known = list(trained_on)
    queries = {" ".join(e.query.casefold().split()) for e in known}
    unseen = [e for e in without_clusters_of(held_out, known) if " ".join(e.query.casefold().split()) not in queries]
    if not unseen:
        raise UserError(
            f"the source '{recipe.data.source}' has no query that the models were not trained on, so nothing can be "
            "transferred to it; name another benchmark"
        )
    evaluation = limited(unseen, recipe.data.evaluation_queries, recipe.seed, "evaluation")
    return {"train": [], "pairs": [], "validation": [], "evaluation": evaluation}, len(held_out) - len(unseen)


def without_clusters_of(
    examples: Iterable[ClarificationExample], others: Iterable[ClarificationExample]
) -> list[ClarificationExample]:
    """Return the examples whose cluster no other example is in."""
    clusters = {e.cluster for e in others}
    return [e for e in examples if e.cluster not in clusters]


def _split_off(
    examples: list[ClarificationExample], share: float, seed: int, name: str
) -> tuple[list[ClarificationExample], list[ClarificationExample]]:
    """Return (the rest, about ``share`` of the examples), whole clusters in either."""
    groups: dict[str, list[ClarificationExample]] = {}
    for example in examples:
        groups.setdefault(example.cluster, []).append(example)
    order = sorted(groups)
    seeded(seed, "split", name).shuffle(order)
    taken: set[str] = set()
    count = 0
    for cluster in order:
        if count >= share * len(examples):
            break
        taken.add(cluster)
        count += len(groups[cluster])
    return [e for e in examples if e.cluster not in taken], [e for e in examples if e.cluster in taken]


def limited(
    examples: list[ClarificationExample], limit: int | None, seed: int, name: str
) -> list[ClarificationExample]:
    """Return at most ``limit`` examples, drawn by seed, in their order; all if it is None."""
    if limit is None or limit >= len(examples):
        return examples
    chosen = set(seeded(seed, "limit", name).sample(range(len(examples)), limit))
    return [e for number, e in enumerate(examples) if number in chosen]
