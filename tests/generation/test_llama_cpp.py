"""llama.cpp under the same loop: the same questions, samples, stream and log-probabilities as the model in torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rac.errors import UserError
from rac.generation.candidates import GenerationCancelled
from rac.generation.local import LocalGenerator
from test_models_export import merging_tokenizer, model_of

pytestmark = pytest.mark.extra
pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed (it compiles for minutes)")

from rac.generation.llama_cpp import LlamaCppGenerator  # noqa: E402
from rac.models import weights_digest  # noqa: E402

PROMPTS = [[5, 9, 200, 4], [100, 77, 3, 8, 9, 10], [100], list(range(3, 250)) * 3]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalGenerator, LlamaCppGenerator]:
    from rac.models_export import write_gguf

    model, tokenizer = model_of(), merging_tokenizer()
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    write_gguf(model, tokenizer, path, dtype="f32")
    return (
        LocalGenerator(model, tokenizer, max_new_tokens=12),
        LlamaCppGenerator(path, tokenizer, model.config, max_new_tokens=12, threads=1),
    )


def test_the_same_greedy_questions_whatever_the_batch(pair: Any) -> None:
    plain, fast = pair
    expected = plain.greedy(PROMPTS, label="")
    found = fast.greedy(PROMPTS, label="")
    alone = [fast.greedy([p], label="")[0] for p in PROMPTS]
    assert [c.token_ids for c in found] == [c.token_ids for c in alone] == [c.token_ids for c in expected]
    assert [c.logprob for c in found] == pytest.approx([c.logprob for c in expected], abs=1e-2)
    assert [c.finished for c in found] == [c.finished for c in expected]


def test_questions_that_end_at_different_times_leave_gaps_that_are_closed(pair: Any) -> None:
    plain, fast = pair
    prompts = [[5, 9, 200, i] for i in range(6)]
    grown = [c.token_ids for c in plain.greedy(prompts, label="")]
    before = plain.ends, fast.ends
    # The first question ends at once, others in the middle, some never.
    plain.ends = fast.ends = {grown[0][0], grown[2][3], grown[4][5]}
    try:
        expected, found = plain.greedy(prompts, label=""), fast.greedy(prompts, label="")
    finally:
        plain.ends, fast.ends = before
    assert len({len(c.token_ids) for c in expected}) > 2
    assert [c.token_ids for c in found] == [c.token_ids for c in expected]
    assert fast.greedy([prompts[0]], label="")[0].token_ids == grown[0]


def test_room_is_used_again_where_it_suffices(pair: Any) -> None:
    _, fast = pair
    fast.greedy(PROMPTS[:2], label="")
    room = fast._spare[False]
    fast.greedy([[7, 8]], label="")
    assert fast._spare[False] is room
    fast.greedy([PROMPTS[3]] + [[i] for i in range(5, 30)], label="")
    assert fast._spare[False] is not room
    first, second = fast.stream(PROMPTS[0]), fast.stream(PROMPTS[1])
    pieces = [next(first, ""), next(second, "")]
    texts = [pieces[0] + "".join(first), pieces[1] + "".join(second)]
    assert [t.strip() for t in texts] == [c.text for c in fast.greedy(PROMPTS[:2], label="")]


def test_the_same_samples_which_share_their_prompt(pair: Any) -> None:
    plain, fast = pair
    for options in ({}, {"temperature": 0.7, "top_k": 20}, {"top_p": 0.5}):
        expected = plain.sample(PROMPTS[:3], 6, seed=3, label="", **options)
        found = fast.sample(PROMPTS[:3], 6, seed=3, label="", **options)
        assert [[c.token_ids for c in row] for row in found] == [[c.token_ids for c in row] for row in expected]


def test_streaming_cancelling_and_prompts_that_do_not_fit(pair: Any) -> None:
    _, fast = pair
    assert "".join(fast.stream(PROMPTS[1])).strip() == fast.greedy([PROMPTS[1]], label="")[0].text
    steps: list[int] = []
    with pytest.raises(GenerationCancelled):
        fast.greedy(PROMPTS, label="", cancel=lambda: bool(steps.append(0)) or len(steps) > 3)
    with pytest.raises(UserError, match="do not fit into the model's context"):
        fast.greedy([[5] * 3000], label="")
    with pytest.raises(ValueError, match="sequences"):
        fast.decoder(PROMPTS, 100)


def test_a_model_in_memory_is_written_once_and_a_broken_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAC_CACHE", str(tmp_path))
    model, tokenizer = model_of(), merging_tokenizer()
    first = LlamaCppGenerator.of(model, tokenizer, dtype="f32", threads=1)
    (file,) = (tmp_path / "gguf").glob("*.gguf")
    before = file.stat().st_mtime_ns
    second = LlamaCppGenerator.of(model, tokenizer, dtype="f32", threads=1)
    assert file.stat().st_mtime_ns == before
    assert first.greedy([[5]], label="")[0].token_ids == second.greedy([[5]], label="")[0].token_ids
    digest = weights_digest(model)
    with torch.no_grad():
        next(iter(model.parameters())).add_(1.0)
    assert weights_digest(model) != digest
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match="is it a whole GGUF file"):
        LlamaCppGenerator(file, tokenizer, model.config)
    first.close()


def test_an_asker_computed_by_llama_cpp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rac.asking import Asker, checked_engine
    from rac.records import Passage

    monkeypatch.setenv("RAC_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    model_of().save_pretrained(folder)
    merging_tokenizer().save_pretrained(folder)
    passages = [Passage(id="a", title="Dune", text="A novel.")]
    plain = Asker.open(str(folder), engine="torch")
    for engine in ("llama.cpp", "auto", None):
        asker = Asker.open(str(folder), engine=checked_engine(engine))
        assert asker.name == f"{plain.name} (llama.cpp, 16-bit weights)"
        answer = asker.ask("dune", passages=passages, n=3)
        assert len(answer.candidates) == 3 and answer.candidates[0]
    with pytest.raises(UserError, match="'lama' is no engine"):
        checked_engine("lama")


def test_what_llama_cpp_cannot_compute_stays_with_torch_or_is_refused(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import importlib.util

    from rac.asking import Asker

    monkeypatch.setenv("RAC_CACHE", str(tmp_path))
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "llama_cpp" else find(name, *a))
    assert "llama.cpp" not in Asker.open(str(tiny_model_dir), engine="auto").name
    with pytest.raises(UserError, match="llama-cpp-python is not installed"):
        Asker.open(str(tiny_model_dir), engine="llama.cpp")
