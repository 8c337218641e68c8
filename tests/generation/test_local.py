from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rac.errors import UserError
from rac.generation import tree as tree_module
from rac.generation.candidates import GenerationCancelled
from rac.generation.local import LocalGenerator, plain_generate
from rac.generation.tree import TreeDecoder, common_beginning, supports_tree

Tiny = Callable[..., Any]

FAMILIES = ["llama", "qwen2", "qwen3", "gemma", "mistral"]


def some_prompts(count: int = 7, seed: int = 0, low: int = 1, high: int = 20) -> list[list[int]]:
    r = random.Random(seed)
    return [[r.randrange(1, 64) for _ in range(r.randint(low, high))] for _ in range(count)]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_equals_generate(family: str, tiny: Tiny, tokenizer: Any) -> None:
    generator = LocalGenerator(tiny(family), tokenizer, max_new_tokens=12, max_rows=4)
    assert generator.shares_prompts
    prompts = some_prompts()
    found = generator.greedy(prompts)
    lengths = set()
    for prompt, candidate in zip(prompts, found, strict=True):
        plain = plain_generate(generator, prompt, 1, None)[0]
        assert candidate.token_ids == plain.tokens
        assert candidate.finished == plain.finished
        assert candidate.logprob == pytest.approx(plain.logprob, abs=1e-4)
        lengths.add(len(candidate.token_ids))
    assert max(lengths) > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_candidate_logprob_is_that_of_the_whole_sequence(family: str, tiny: Tiny, tokenizer: Any) -> None:
    model = tiny(family)
    generator = LocalGenerator(model, tokenizer, max_new_tokens=10)
    prompts = some_prompts(4, seed=1)
    for prompt, candidates in zip(prompts, generator.sample(prompts, 5, top_p=0.9, seed=3), strict=True):
        for candidate in candidates:
            ids = torch.tensor([prompt + candidate.token_ids])
            with torch.no_grad():
                logprobs = model(ids).logits.log_softmax(-1)[0, len(prompt) - 1 : -1]
            direct = logprobs[torch.arange(len(candidate.token_ids)), candidate.token_ids].sum()
            assert candidate.logprob == pytest.approx(float(direct), abs=1e-3)


def test_first_token_frequencies_are_those_of_the_model(llama: Any, tokenizer: Any) -> None:
    generator = LocalGenerator(llama, tokenizer, max_new_tokens=1, max_rows=4000)
    prompt = [5, 9, 2]
    samples = generator.sample([prompt], 4000, temperature=1.3, top_p=0.8, top_k=20, seed=0)[0]
    with torch.no_grad():
        logits = llama(torch.tensor([prompt])).logits[0, -1] / 1.3
    # Direct computation, one token after the other: the 20 largest, then the smallest set that reaches 0.8.
    order = sorted(range(64), key=lambda i: -float(logits[i]))[:20]
    weights = torch.softmax(logits[order], dim=0).tolist()
    kept: dict[int, float] = {}
    for token, weight in zip(order, weights, strict=True):
        if sum(kept.values()) >= 0.8:
            break
        kept[token] = weight
    total = sum(kept.values())
    counts = dict.fromkeys(kept, 0)
    for sample in samples:
        counts[sample.token_ids[0]] += 1
    chi2 = sum((counts[t] - 4000 * w / total) ** 2 / (4000 * w / total) for t, w in kept.items())
    # The 99.9 % point of chi-square with k degrees of freedom is below k + 4 sqrt(2 k) + 8.
    k = len(kept) - 1
    assert k >= 3
    assert chi2 < k + 4 * (2 * k) ** 0.5 + 8


def test_second_token_frequencies_are_those_of_generate(llama: Any, tokenizer: Any) -> None:
    generator = LocalGenerator(llama, tokenizer, max_new_tokens=2, max_rows=3000)
    prompt = [5, 9, 2, 40]
    ours = generator.sample([prompt], 3000, temperature=0.7, top_p=0.9, top_k=5, seed=1)[0]
    theirs = plain_generate(generator, prompt, 3000, 1, temperature=0.7, top_p=0.9, top_k=5)
    pairs = sorted({tuple(c.token_ids) for c in ours} | {tuple(b.tokens) for b in theirs})
    first = [sum(tuple(c.token_ids) == p for c in ours) / 3000 for p in pairs]
    second = [sum(tuple(b.tokens) == p for b in theirs) / 3000 for p in pairs]
    # Total variation of two samples of 3000 over few outcomes is about 0.02 to 0.03.
    assert len(pairs) >= 4
    assert sum(abs(a - b) for a, b in zip(first, second, strict=True)) / 2 < 0.06


def test_samples_do_not_depend_on_the_batch_or_on_n(llama: Any, tokenizer: Any) -> None:
    prompts = some_prompts(6, seed=2)
    together = LocalGenerator(llama, tokenizer, max_new_tokens=8).sample(prompts, 4, seed=5)
    alone = LocalGenerator(llama, tokenizer, max_new_tokens=8, max_rows=1)
    for prompt, candidates in zip(prompts, together, strict=True):
        assert [c.token_ids for c in alone.sample([prompt], 4, seed=5)[0]] == [c.token_ids for c in candidates]
    fewer = LocalGenerator(llama, tokenizer, max_new_tokens=8).sample(prompts[::-1], 2, seed=5)[::-1]
    assert [[c.token_ids for c in found] for found in fewer] == [[c.token_ids for c in f[:2]] for f in together]
    other = LocalGenerator(llama, tokenizer, max_new_tokens=8).sample(prompts, 4, seed=6)
    assert [[c.token_ids for c in f] for f in other] != [[c.token_ids for c in f] for f in together]


def test_equal_prompts_get_equal_candidates_and_no_prompts_give_nothing(llama: Any, tokenizer: Any) -> None:
    generator = LocalGenerator(llama, tokenizer, max_new_tokens=6)
    found = generator.sample([[3, 4], [9], [3, 4]], 3, seed=0)
    assert found[0] == found[2] != found[1]
    assert generator.greedy([]) == []
    assert generator.sample([], 3, seed=0) == []


def test_finished_candidates_leave_and_the_rest_is_unchanged(llama: Any, tokenizer: Any) -> None:
    generator = LocalGenerator(llama, tokenizer, max_new_tokens=30, max_rows=64)
    prompts = some_prompts(8, seed=4)
    # With several end tokens the branches end at very different times, so rows move and rows shrink.
    generator.ends = {0, 1, 2, 3, 7, 11}
    found = generator.sample(prompts, 8, temperature=1.5, top_p=1.0, seed=0)
    lengths = [len(c.token_ids) for f in found for c in f]
    assert min(lengths) <= 3 and max(lengths) >= 10
    assert any(not c.finished for f in found for c in f) or max(lengths) < 30
    for prompt, candidates in zip(prompts, found, strict=True):
        for candidate in candidates:
            if candidate.finished:
                assert candidate.token_ids[-1] in generator.ends
            assert not set(candidate.token_ids[:-1]) & generator.ends
            with torch.no_grad():
                logprobs = llama(torch.tensor([prompt + candidate.token_ids])).logits.log_softmax(-1)
            direct = logprobs[0, len(prompt) - 1 : -1][range(len(candidate.token_ids)), candidate.token_ids].sum()
            assert candidate.logprob == pytest.approx(float(direct), abs=1e-3)


@pytest.mark.parametrize(
    ("family", "changes", "reason"),
    [
        ("mistral", {"sliding_window": 8}, "DynamicSlidingWindowLayer"),
        ("bloom", {}, "trial step"),
        ("llama", {"attn_implementation": "flash_attention_2"}, "4-D mask"),
    ],
)
def test_other_models_fall_back_to_generate(
    family: str, changes: dict[str, Any], reason: str, tiny: Tiny, tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    implementation = changes.get("attn_implementation")
    model = tiny(family, **{k: v for k, v in changes.items() if k != "attn_implementation"})
    if implementation:
        model.config._attn_implementation_internal = implementation
        assert reason in supports_tree(model)
        return
    with caplog.at_level(logging.INFO):
        generator = LocalGenerator(model, tokenizer, max_new_tokens=5)
    assert not generator.shares_prompts
    assert reason in caplog.text and "slower" in caplog.text
    prompts = some_prompts(3)
    greedy = generator.greedy(prompts)
    for prompt, candidate in zip(prompts, greedy, strict=True):
        assert candidate.token_ids == plain_generate(generator, prompt, 1, None)[0].tokens
        assert "".join(generator.stream(prompt)).strip() == candidate.text
    first = generator.sample(prompts, 3, seed=1)
    assert first == generator.sample(prompts, 3, seed=1)
    assert first[1] == generator.sample(prompts[1:2], 3, seed=1)[0]


def test_stream_gives_the_text_of_the_candidate(llama: Any, tokenizer: Any) -> None:
    generator = LocalGenerator(llama, tokenizer, max_new_tokens=16)
    for prompt in some_prompts(5, seed=8):
        assert "".join(generator.stream(prompt)).strip() == generator.greedy([prompt])[0].text
        sampled = generator.sample([prompt], 1, temperature=0.9, top_p=0.9, seed=4)[0][0]
        assert "".join(generator.stream(prompt, temperature=0.9, top_p=0.9, seed=4)).strip() == sampled.text


def test_stream_holds_back_half_characters(llama: Any, tokenizer: Any) -> None:
    word = "aé€"

    class Scripted:
        """Says ``word`` byte by byte."""

        def start(self) -> torch.Tensor:
            self.rest = [b + 1 for b in word.encode()] + [0]
            return self.step(torch.tensor([0]), torch.tensor([0]))

        def step(self, parents: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(1, 300)
            logits[0, self.rest.pop(0)] = 9.0
            return logits

    generator = LocalGenerator(llama, tokenizer, max_new_tokens=16)
    generator.decoder = lambda prompts, n: Scripted()  # type: ignore[method-assign, assignment]
    assert list(generator.stream([1])) == ["a", "é", "€"]


def test_cancel_stops_between_steps(llama: Any, tokenizer: Any) -> None:
    generator = LocalGenerator(llama, tokenizer, max_new_tokens=50)
    generator.ends = set()
    asked: list[int] = []

    def cancel() -> bool:
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(GenerationCancelled):
        generator.sample([[3]], 2, seed=0, cancel=cancel)
    assert len(asked) == 4
    asked.clear()
    pieces = generator.stream([3], cancel=cancel)
    with pytest.raises(GenerationCancelled):
        list(pieces)
    assert len(asked) == 4


def test_beams_share_a_row_by_mask_alone(llama: Any) -> None:
    """Several branches may continue the same one, also after others were dropped."""
    prompts = some_prompts(3, seed=9)
    tree = TreeDecoder(llama, prompts, columns=20)
    tree.start()
    tree.step(torch.tensor([0, 0, 1, 2, 2]), torch.tensor([5, 6, 7, 8, 9]))
    tree.step(torch.tensor([1, 1, 1, 4]), torch.tensor([10, 11, 12, 13]))
    logits = tree.step(torch.tensor([2, 2, 3]), torch.tensor([20, 21, 22]))
    paths = [prompts[0] + [6, 12, 20], prompts[0] + [6, 12, 21], prompts[2] + [9, 13, 22]]
    for row, path in zip(logits, paths, strict=True):
        with torch.no_grad():
            assert torch.allclose(row, llama(torch.tensor([path])).logits[0, -1], atol=1e-4)


@pytest.mark.parametrize(
    ("share_from", "tokens"), [(1, 3 + 2 * 4 + 3 * 2), (3, 3 + 2 * 4 + 3 * 2), (4, 4 + 7 + 5 + 5 + 4)]
)
def test_what_all_prompts_begin_with_is_run_once(
    llama: Any, monkeypatch: pytest.MonkeyPatch, share_from: int, tokens: int
) -> None:
    """Prompts of several lengths behind a common beginning, in several chunks: logits are those of whole sequences."""
    monkeypatch.setattr(tree_module, "PREFILL_TOKENS", 8)
    prompts = [[4, 5, 6, *own] for own in ([7], [8, 9, 10, 11], [12, 13], [7, 8], [9])]
    seen: list[int] = []
    hook = llama.register_forward_pre_hook(
        lambda module, arguments, named: seen.append(named["input_ids"].numel()), with_kwargs=True
    )
    tree = TreeDecoder(llama, prompts, columns=4, share_from=share_from)
    first = tree.start()
    hook.remove()
    assert sum(seen) == tokens
    second = tree.step(torch.tensor([0, 0, 1, 2, 4]), torch.tensor([20, 21, 22, 23, 24]))
    third = tree.step(torch.tensor([1, 2, 4]), torch.tensor([30, 31, 32]))
    ends = [(0, [20]), (0, [21]), (1, [22]), (2, [23]), (4, [24]), (0, [21, 30]), (1, [22, 31]), (4, [24, 32])]
    paths = [*prompts, *(prompts[number] + end for number, end in ends)]
    for row, path in zip([*first, *second, *third], paths, strict=True):
        with torch.no_grad():
            assert torch.allclose(row, llama(torch.tensor([path])).logits[0, -1], atol=1e-4)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=5))
def test_the_common_beginning_is_all_that_is_equal(sequences: list[list[int]]) -> None:
    found = common_beginning(sequences)
    assert all(sequence[:found] == sequences[0][:found] for sequence in sequences)
    assert found == min(map(len, sequences)) or len({sequence[found] for sequence in sequences}) > 1


def test_equal_prompts_keep_a_token_of_their_own(llama: Any) -> None:
    tree = TreeDecoder(llama, [[4, 5], [4, 5, 6]], columns=1, share_from=1)
    for row, path in zip(tree.start(), [[4, 5], [4, 5, 6]], strict=True):
        with torch.no_grad():
            assert torch.allclose(row, llama(torch.tensor([path])).logits[0, -1], atol=1e-4)


def test_a_tree_that_is_full_says_so(llama: Any) -> None:
    tree = TreeDecoder(llama, [[1, 2]], columns=1)
    tree.start()
    tree.step(torch.tensor([0]), torch.tensor([5]))
    with pytest.raises(ValueError, match="1 columns and needs 2"):
        tree.step(torch.tensor([0]), torch.tensor([5]))


def test_wrong_settings_and_prompts_that_do_not_fit(llama: Any, tokenizer: Any) -> None:
    generator = LocalGenerator(llama, tokenizer, max_new_tokens=8)
    for wrong in ({"temperature": 0}, {"top_p": 0}, {"top_p": 1.1}, {"top_k": -1}):
        with pytest.raises(ValueError, match="temperature"):
            generator.sample([[1]], 2, seed=0, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n must be 1"):
        generator.sample([[1]], 0, seed=0)
    with pytest.raises(UserError, match=r"250 tokens .* context of 256"):
        generator.greedy([[1] * 250])
    with pytest.raises(ValueError, match="empty prompt"):
        generator.greedy([[]])
    with pytest.raises(ValueError, match="at least 1"):
        LocalGenerator(llama, tokenizer, max_new_tokens=0)


@pytest.mark.model
def test_the_embedded_model_is_decoded_as_generate_does() -> None:
    from rac.models import load_model
    from rac.prompting import build_prompt
    from rac.records import Passage

    model, tokenizer = load_model("embedded")
    generator = LocalGenerator(model, tokenizer, max_new_tokens=10)
    assert generator.shares_prompts
    d = [Passage(id="1", title="Dune (novel)", text="A novel."), Passage(id="2", title="Dune", text="A hill of sand.")]
    prompts = [list(build_prompt(tokenizer, "dune", d[:k]).ids) for k in (1, 2)]
    for prompt, candidate in zip(prompts, generator.greedy(prompts), strict=True):
        assert candidate.token_ids == plain_generate(generator, prompt, 1, None)[0].tokens
