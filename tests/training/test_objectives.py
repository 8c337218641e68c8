from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.training.losses import cpo_loss, dpo_loss, ipo_loss, nll, simpo_loss
from rac.training.objectives import Preference, Supervised, pair_indices
from rac.training.packing import Tree, collate
from rac.training.plan import split_step
from rac.training.settings import Stage2
from rac.training.supervised import weigh

PAIRS = [
    Tree("a", [1, 2], [[5, 2], [6, 7, 2]], [], [-2.0, -3.5]),
    Tree("b", [3], [[5, 6, 7, 2], [8, 2], [9, 2], [4]], [], [-4.0, -2.0, -2.5, -1.0]),
]
LOGPS = torch.tensor([-1.5, -4.0, -5.0, -2.0, -3.0, -0.5], requires_grad=True)
COUNTS = torch.tensor([2.0, 3.0, 4.0, 2.0, 2.0, 1.0])


def test_pair_indices_by_hand() -> None:
    chosen, rejected, present = pair_indices(torch.tensor([0, 0, 1, 1, 1, 1]))
    assert chosen.tolist() == [0, 2]
    assert rejected.tolist() == [[1, 1, 1], [3, 4, 5]]
    assert present.tolist() == [[True, False, False], [True, True, True]]


@pytest.mark.parametrize("loss", ["cpo", "dpo", "ipo", "simpo"])
@pytest.mark.parametrize("nll_weight", [0.0, 0.5])
def test_pairwise_losses_average_over_the_rejected_of_a_prompt(loss: str, nll_weight: float) -> None:
    objective = Preference(Stage2(loss=loss, beta=0.3, gamma=0.2, nll_weight=nll_weight))
    found, sums = objective(LOGPS, COUNTS, collate(PAIRS), objective.totals(PAIRS))

    reference = torch.tensor([value for tree in PAIRS for value in tree.reference])
    normalise = loss in ("ipo", "simpo")
    scores, references = (LOGPS / COUNTS, reference / COUNTS) if normalise else (LOGPS, reference)

    def of(chosen: int, rejected: int) -> torch.Tensor:
        pick = scores[chosen : chosen + 1], scores[rejected : rejected + 1]
        start = references[chosen : chosen + 1], references[rejected : rejected + 1]
        if loss == "cpo":
            return cpo_loss(*pick, beta=0.3)
        if loss == "simpo":
            return simpo_loss(*pick, beta=0.3, gamma=0.2)
        return (dpo_loss if loss == "dpo" else ipo_loss)(*pick, *start, beta=0.3)

    expected = (of(0, 1) + (of(2, 3) + of(2, 4) + of(2, 5)) / 3) / 2
    expected = expected + nll_weight * nll(LOGPS[[0, 2]], COUNTS[[0, 2]])
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)

    accuracy, prompts = sums["accuracy"]
    relative = scores - references if loss in ("dpo", "ipo") else scores

    def right(chosen: int, other: int) -> float:
        difference = float(relative[chosen] - relative[other])
        return 0.5 if abs(difference) < 1e-5 else float(difference > 0)  # (with IPO, one pair is a tie)

    expected_accuracy = (right(0, 1) + (right(2, 3) + right(2, 4) + right(2, 5)) / 3) / 2
    assert float(accuracy) / prompts == pytest.approx(expected_accuracy)
    value, total = sums["logps/chosen"]
    assert float(value) / total == pytest.approx(-3.25)


def test_without_a_reference_dpo_is_cpo() -> None:
    batch, totals = collate(PAIRS), {"prompts": 2.0, "tokens": 6.0}
    found, _ = Preference(Stage2(loss="dpo", reference="none"))(LOGPS, COUNTS, batch, totals)
    expected, _ = Preference(Stage2(loss="cpo"))(LOGPS, COUNTS, batch, totals)
    assert found.item() == pytest.approx(expected.item())


def test_the_fall_of_the_chosen_log_probability_is_logged() -> None:
    objective = Preference(Stage2(loss="dpo"))
    _, sums = objective(LOGPS, COUNTS, collate(PAIRS), objective.totals(PAIRS))
    value, total = sums["logps/chosen_change"]
    assert float(value) / total == pytest.approx(((-1.5 + 2.0) + (-5.0 + 4.0)) / 2)


def test_supervised_weighting_by_hand() -> None:
    trees = [Tree("a", [1], [[5, 2]]), Tree("b", [1], [[6, 7, 2], [8], [9]])]
    logps, counts = torch.tensor([-1.0, -6.0, -2.0, -3.0]), torch.tensor([2.0, 3.0, 1.0, 1.0])
    for weighting, expected in (("question", 12.0 / 7.0), ("query", (1 + 11 / 3) / (2 + 5 / 3))):
        weighted = [weigh(tree, weighting) for tree in trees]
        objective = Supervised()
        loss, _ = objective(logps, counts, collate(weighted), objective.totals(weighted))
        assert loss.item() == pytest.approx(expected)
        scores = [([-1.0], [2]), ([-6.0, -2.0, -3.0], [3, 1, 1])]
        assert objective.evaluate(weighted, scores)["nll"] == pytest.approx(expected)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_parts_of_a_step_add_up(prompts: int, parts: int, seed: int) -> None:
    """However a step is split over passes and processes, the shares of the loss add up to the whole."""
    generator = torch.Generator().manual_seed(seed)
    trees = [
        Tree(f"t{n}", [1] * (n + 1), [[3, 2], [4] * (n + 1), [5]][: 2 + n % 2], [], [-1.0, -2.0, -3.0][: 2 + n % 2])
        for n in range(prompts)
    ]
    value = {
        (tree.id, k): float(-torch.rand((), generator=generator) * 9)
        for tree in trees
        for k in range(len(tree.branches))
    }

    def loss(objective: Supervised | Preference, share: list[Tree], totals: dict[str, float]) -> float:
        logps = torch.tensor([value[tree.id, k] for tree in share for k in range(len(tree.branches))])
        counts = torch.tensor([float(len(branch)) for tree in share for branch in tree.branches])
        return float(objective(logps, counts, collate(share), totals)[0])

    for objective in (Supervised(), Preference(Stage2(loss="dpo")), Preference(Stage2(loss="listwise"))):
        totals = objective.totals(trees)
        whole = loss(objective, trees, totals)
        split = sum(loss(objective, share, totals) for share in split_step(trees, parts))
        assert split == pytest.approx(whole, rel=1e-4, abs=1e-5)


def test_evaluation_of_pairs_by_hand() -> None:
    scores = [([-1.0, -2.0], [2, 3]), ([-3.0, -1.0, -4.0, -5.0], [4, 2, 2, 1])]
    metrics = Preference(Stage2()).evaluate(PAIRS, scores)
    assert metrics["accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    assert metrics["logps/chosen"] == pytest.approx(-2.0)
    assert metrics["logps/rejected"] == pytest.approx((-2 - 10 / 3) / 2)
