"""The losses of TRL's trainers on the same batch, and the smoke test of ``bench/training.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.extra
BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))


@pytest.fixture
def examples(tokenizer: Any) -> list[Any]:
    from training_data import invented

    return invented(tokenizer, 4, questions=2, prompt_words=6)


def loss_of(system: Any) -> float:
    system.before_step()
    system.trainer.model.eval()
    inputs = system.trainer._prepare_inputs(system.inputs())
    return float(system.trainer.compute_loss(system.trainer.model, inputs))


def ours(model: Any, examples: list[Any], **settings: Any) -> float:
    from rac.training.objectives import Preference
    from rac.training.settings import Stage2
    from training_peers import Ours

    return loss_of(Ours(model, examples, Preference(Stage2(**settings))))


@pytest.mark.parametrize(("loss", "peer"), [("dpo", "sigmoid"), ("ipo", "ipo")])
def test_dpo_and_ipo(model: Any, tokenizer: Any, examples: list[Any], loss: str, peer: str) -> None:
    from rac.training.packing import Tree
    from tests_support import tiny_model
    from training_peers import TrlDpo

    # A reference that is not the policy, or all margins are 0 and nothing is tested.
    reference = tiny_model(seed=3)
    expected = loss_of(
        TrlDpo(model, tokenizer, examples, precomputed=False, reference=reference, loss_type=[peer], beta=0.2)
    )  # fmt: skip
    from rac.training.logps import score_branches
    from rac.training.objectives import Preference
    from rac.training.packing import collate
    from rac.training.settings import Stage2

    trees = [
        Tree(e.tree.id, e.tree.prompt_ids, e.tree.branches, [], logps)
        for e, (logps, _) in zip(examples, score_branches(reference, [e.tree for e in examples]), strict=True)
    ]
    from rac.training.logps import branch_logps

    objective = Preference(Stage2(loss=loss, beta=0.2, nll_weight=0.0))
    batch = collate(trees)
    found, _ = objective(*branch_logps(model, batch), batch, objective.totals(trees))
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_cpo_with_the_likelihood_of_the_chosen(model: Any, tokenizer: Any, examples: list[Any]) -> None:
    from training_peers import TrlCpo

    expected = loss_of(TrlCpo(model, tokenizer, examples, beta=0.3, cpo_alpha=0.7))
    assert ours(model, examples, loss="cpo", beta=0.3, nll_weight=0.7) == pytest.approx(expected, rel=1e-4)


def test_simpo(model: Any, tokenizer: Any, examples: list[Any]) -> None:
    from training_peers import TrlCpo

    expected = loss_of(
        TrlCpo(model, tokenizer, examples, loss_type="simpo", beta=2.0, simpo_gamma=0.5, cpo_alpha=0.0)
    )  # fmt: skip
    assert ours(model, examples, loss="simpo", beta=2.0, gamma=0.5, nll_weight=0.0) == pytest.approx(expected, rel=1e-4)


def test_supervised(model: Any, tokenizer: Any) -> None:
    from training_data import invented
    from training_peers import TrlSft, supervised

    examples = invented(tokenizer, 2, questions=4, prompt_words=6)
    expected = loss_of(TrlSft(model, tokenizer, examples))
    assert loss_of(supervised(model, examples)) == pytest.approx(expected, rel=1e-4)


def test_the_bench_runs_and_fills_a_page(tiny_model_dir: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench/training.py -->\nold\n<!-- /bench/training.py -->\nafter\n")
    command = [
        sys.executable, str(BENCH / "training.py"), "--cases", "invented", "--model", str(tiny_model_dir),
        "--alternations", "1", "--pairs", "2", "--profile", "--markdown", str(page),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    text = page.read_text()
    assert text.startswith("before\n<!-- bench/training.py -->\n")
    assert text.endswith("<!-- /bench/training.py -->\nafter\n")
    assert "old" not in text
    for peer in ("TRL DPO, reference online", "TRL DPO, reference precomputed", "TRL CPO"):
        assert f"| {peer} |" in text
