from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.training.losses import cpo_loss, dpo_loss, ipo_loss, listwise_loss, nll, per_token, simpo_loss

CHOSEN, REJECTED = torch.tensor([-4.0, -6.0]), torch.tensor([-5.0, -3.0])
CHOSEN_REFERENCE, REJECTED_REFERENCE = torch.tensor([-4.5, -6.5]), torch.tensor([-4.0, -4.0])


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def close(found: torch.Tensor, expected: list[float]) -> bool:
    return torch.allclose(found, torch.tensor(expected), atol=1e-6)


def test_cpo_by_hand() -> None:
    assert close(cpo_loss(CHOSEN, REJECTED, beta=0.5), [-log_sigmoid(0.5 * 1.0), -log_sigmoid(0.5 * -3.0)])


def test_dpo_by_hand() -> None:
    found = dpo_loss(CHOSEN, REJECTED, CHOSEN_REFERENCE, REJECTED_REFERENCE, beta=0.1)
    assert close(found, [-log_sigmoid(0.1 * (0.5 + 1.0)), -log_sigmoid(0.1 * (0.5 - 1.0))])


def test_ipo_by_hand() -> None:
    found = ipo_loss(CHOSEN, REJECTED, CHOSEN_REFERENCE, REJECTED_REFERENCE, beta=0.25)
    assert close(found, [(1.5 - 2.0) ** 2, (-0.5 - 2.0) ** 2])


def test_simpo_by_hand() -> None:
    chosen = per_token(CHOSEN, torch.tensor([4.0, 2.0]))
    rejected = per_token(REJECTED, torch.tensor([5.0, 1.0]))
    found = simpo_loss(chosen, rejected, beta=2.0, gamma=1.0)
    assert close(found, [-log_sigmoid(2 * (-1 + 1) - 1), -log_sigmoid(2 * (-3 + 3) - 1)])


def test_listwise_by_hand() -> None:
    rejected = torch.tensor([[-5.0, -4.5], [-3.0, 99.0]])
    present = torch.tensor([[True, True], [True, False]])
    reference = torch.tensor([[-4.0, -4.0], [-4.0, 0.0]])
    found = listwise_loss(CHOSEN, rejected, present, CHOSEN_REFERENCE, reference, beta=1.0)
    first = -math.log(math.exp(0.5) / (math.exp(0.5) + math.exp(-1.0) + math.exp(-0.5)))
    second = -math.log(math.exp(0.5) / (math.exp(0.5) + math.exp(1.0)))
    assert close(found, [first, second])


def test_nll_is_per_token_over_all_questions() -> None:
    assert nll(torch.tensor([-3.0, -1.0]), torch.tensor([3.0, 1.0])).item() == pytest.approx(1.0)


_logp = st.floats(-60, -0.1)


@given(_logp, _logp, _logp, _logp, st.floats(0.01, 2))
@settings(deadline=None)
def test_with_one_rejected_question_listwise_is_dpo(a: float, b: float, c: float, d: float, beta: float) -> None:
    chosen, rejected, chosen_reference, rejected_reference = (torch.tensor([x]).double() for x in (a, b, c, d))
    expected = dpo_loss(chosen, rejected, chosen_reference, rejected_reference, beta=beta)
    found = listwise_loss(
        chosen, rejected[:, None], torch.tensor([[True]]), chosen_reference, rejected_reference[:, None], beta=beta
    )
    assert torch.allclose(found, expected, atol=1e-9)


@given(_logp, _logp, st.floats(0.01, 2))
@settings(deadline=None)
def test_losses_fall_with_the_margin(a: float, b: float, beta: float) -> None:
    chosen, rejected = torch.tensor([a], requires_grad=True), torch.tensor([b], requires_grad=True)
    zero = torch.zeros(1)
    for loss in (
        cpo_loss(chosen, rejected, beta=beta),
        dpo_loss(chosen, rejected, zero, zero, beta=beta),
        simpo_loss(chosen, rejected, beta=beta, gamma=0.5),
    ):
        up, down = torch.autograd.grad(loss.sum(), (chosen, rejected))
        assert up.item() <= 0 <= down.item()


def test_far_margins_stay_finite() -> None:
    far = torch.tensor([-1e4, 0.0])
    for loss in (
        cpo_loss(far, far.flip(0), beta=1.0),
        listwise_loss(
            far, far.flip(0)[:, None], torch.ones(2, 1, dtype=torch.bool), 0 * far, 0 * far[:, None], beta=1.0
        ),
    ):
        assert torch.isfinite(loss).all()
        assert loss[0] == pytest.approx(1e4)
