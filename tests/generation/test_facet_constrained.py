from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rac.errors import UserError
from rac.generation.facet_constrained import FacetConstrainedGenerator, _progress
from rac.generation.templates import facets
from rac.records import Passage

Tiny = Callable[..., Any]

LETTERS = " abcdefghijklmnopqrstuvwxyz?\n"


class LetterTokenizer:
    """Token 0 ends, token i + 1 is letter i."""

    eos_token_id = 0
    all_special_ids = (0,)

    def __len__(self) -> int:
        return len(LETTERS) + 1

    def __call__(self, text: str, add_special_tokens: bool = True) -> SimpleNamespace:
        return SimpleNamespace(input_ids=[LETTERS.index(c) + 1 for c in text])

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return ["<end>" if i == 0 else LETTERS[i - 1] for i in ids]

    def decode(self, ids: list[int], **_: Any) -> str:
        return "".join(LETTERS[i - 1] for i in ids if i > 0)


@pytest.fixture(scope="module")
def generator(tiny: Tiny) -> FacetConstrainedGenerator:
    return FacetConstrainedGenerator(
        tiny("llama", vocab_size=40),
        LetterTokenizer(),
        beginnings=("ab", "do c"),
        beams=3,
        max_new_tokens=24,
        max_rows=12,
    )


def test_every_facet_is_named_and_the_beginning_is_kept(generator: FacetConstrainedGenerator) -> None:
    prompts = [[3, 4, 5], [9, 9], [7, 2, 4, 8, 1]]
    wanted = [["dog", "cat"], ["emu"], []]
    for candidate, some in zip(generator.ask(prompts, wanted), wanted, strict=True):
        assert candidate.finished
        assert candidate.text.startswith(("ab", "do c"))
        assert all(f" {facet}" in candidate.text for facet in some)
        assert candidate.text.count("?") == 1 and candidate.text.endswith("?")
        assert "\n" not in candidate.text and 0 not in candidate.token_ids


def test_logprob_is_that_of_the_tokens_behind_the_beginning(
    generator: FacetConstrainedGenerator,
) -> None:
    prompt = [3, 4, 5]
    candidate = generator.ask([prompt], [["dog", "cat"]])[0]
    start = 2 if candidate.text.startswith("ab") else 4
    with torch.no_grad():
        logprobs = generator.model(torch.tensor([prompt + candidate.token_ids])).logits.log_softmax(-1)[0]
    direct = sum(
        float(logprobs[len(prompt) + i - 1, candidate.token_ids[i]]) for i in range(start, len(candidate.token_ids))
    )
    assert candidate.logprob == pytest.approx(direct, abs=1e-3)


def test_results_do_not_depend_on_the_batch(generator: FacetConstrainedGenerator) -> None:
    prompts = [[3, 4, 5], [9, 9]]
    wanted = [["dog", "cat"], ["emu"]]
    alone = [generator.ask([p], [w])[0] for p, w in zip(prompts, wanted, strict=True)]
    assert [c.token_ids for c in generator.ask(prompts, wanted)] == [c.token_ids for c in alone]


def test_facets_that_do_not_fit_are_not_claimed_to_be_met(generator: FacetConstrainedGenerator) -> None:
    candidate = generator.ask([[3, 4]], [["a very long facet of many letters"]])[0]
    assert not candidate.finished and len(candidate.token_ids) == 24


def test_wider_beams_find_questions_at_least_as_probable(tiny: Tiny) -> None:
    model = tiny("llama", vocab_size=40)

    def best(beams: int) -> float:
        narrow = FacetConstrainedGenerator(model, LetterTokenizer(), beginnings=("ab",), beams=beams, max_new_tokens=16)
        found = narrow.ask([[3, 4, 5]], [["dog"]])[0]
        return found.logprob / (len(found.token_ids) - 2)

    assert best(12) >= best(1) - 1e-5


def test_progress() -> None:
    assert _progress([1, 2, 3], [3, 4, 5]) == 1
    assert _progress([1, 3, 4], [3, 4, 5]) == 2
    assert _progress([3, 3], [3, 3, 4]) == 2
    assert _progress([3, 4, 5], [3, 4, 5]) == 0
    assert _progress([], [3]) == 0


def test_facets_of_passages() -> None:
    one = Passage(id="1", title="Rescue", types=("arcade game",), text="Rescue is a game.")
    two = Passage(id="2", title="Rescue", types=("book",), text="Rescue is a book.")
    other = Passage(id="3", title="Rescue Me (song)", description="1965 song")
    assert facets("rescue", [one, two]) == ["arcade game", "book"]
    assert facets("rescue", [one, other]) == ["Rescue", "Rescue Me"]
    assert facets("rescue", [one]) == ["Rescue"]
    assert facets("rescue", []) == []


def test_what_cannot_work_is_refused(tiny: Tiny) -> None:
    with pytest.raises(UserError, match="cannot \\(layer 0 caches"):
        FacetConstrainedGenerator(tiny("mistral", sliding_window=8, vocab_size=40), LetterTokenizer())
    model = tiny("llama", vocab_size=40)
    with pytest.raises(UserError, match="no room"):
        FacetConstrainedGenerator(model, LetterTokenizer(), beginnings=("abcdefghij",), max_new_tokens=10)
    fine = FacetConstrainedGenerator(model, LetterTokenizer(), beginnings=("ab",), max_new_tokens=10)
    with pytest.raises(ValueError, match="one each"):
        fine.ask([[1]], [])
