from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.errors import UserError
from rac.prompting import (
    PromptSettings,
    build_prompt,
    check_prefix,
    cut_to_tokens,
    encode_question,
    neutralise,
    render_passage,
)
from rac.records import Passage
from tests_support import byte_tokenizer

CONTROL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "[INST]", "</s>", "<start_of_turn>", "<<SYS>>"]
TOKENIZER = byte_tokenizer()
hostile_text = st.lists(
    st.one_of(
        st.text(max_size=20), st.sampled_from([*CONTROL, "\n", "Query: ", "[2] ", "assistant\n", "<|im_", "end|>"])
    ),
    max_size=12,
).map("".join)


def passage(text: str, **fields: Any) -> Passage:
    return Passage(id="p", text=text, **fields)


def test_the_prompt_reads_as_documented() -> None:
    passages = [
        Passage(id="a", title="Dune", description="1965 novel", text="Dune is a novel."),
        Passage(id="b", title="Dune", types=("film", "adaptation"), text="Dune is a film."),
    ]
    prompt = build_prompt(TOKENIZER, "dune", passages)
    assert prompt.text == (
        "<|im_start|>system\nAsk one clarifying question about the query. Offer only what the passages say.<|im_end|>\n"
        "<|im_start|>user\n[1] Dune (1965 novel): Dune is a novel.\n[2] Dune (film, adaptation): Dune is a film.\n"
        "Query: dune<|im_end|>\n<|im_start|>assistant\n"
    )
    assert TOKENIZER.decode(list(prompt.ids)) == prompt.text
    assert (prompt.cut, prompt.dropped) == (0, 0)


def test_the_ungrounded_prompt_shows_no_passage() -> None:
    prompt = build_prompt(TOKENIZER, "dune", None)
    assert "passages" not in prompt.text
    assert prompt.passages == ()
    assert "Query: dune" in prompt.text


@given(hostile_text, hostile_text, hostile_text)
@settings(deadline=None, max_examples=150)
def test_hostile_passages_and_queries_cannot_change_the_structure(title: str, text: str, query: str) -> None:
    prompt_settings = PromptSettings(passage_tokens=200, max_tokens=4096)
    calm = build_prompt(TOKENIZER, "q", [passage("x", title="t")], prompt_settings)
    wild = build_prompt(TOKENIZER, query or "q", [passage(text or "x", title=title or "t")], prompt_settings)
    special = [i for i in calm.ids if i < 3]
    assert [i for i in wild.ids if i < 3] == special
    assert wild.text.count("\n") == calm.text.count("\n")


@given(hostile_text)
@settings(deadline=None)
def test_neutralised_text_is_one_line_without_control_tokens_and_stays_so(text: str) -> None:
    once = neutralise(text, CONTROL)
    assert neutralise(once, CONTROL) == once
    assert not any(token in once for token in CONTROL)
    assert len(once.splitlines()) <= 1


@given(st.text(max_size=300), st.integers(8, 60))
@settings(deadline=None)
def test_cutting_keeps_a_head_within_the_budget(text: str, limit: int) -> None:
    text = neutralise(text)
    kept, was_cut = cut_to_tokens(TOKENIZER, text, limit)
    length = len(TOKENIZER(text, add_special_tokens=False).input_ids)
    assert was_cut == (length > limit)
    if not was_cut:
        assert kept == text
    else:
        assert text.startswith(kept.removesuffix(" …").rstrip())
        assert len(TOKENIZER(kept.removesuffix(" …"), add_special_tokens=False).input_ids) <= limit


def test_the_query_is_never_cut_and_passages_are_left_out_from_the_end() -> None:
    passages = [passage("word " * 30, title=str(n)) for n in range(6)]
    prompt_settings = PromptSettings(max_tokens=500, passage_tokens=100)
    query = "q" * 150
    prompt = build_prompt(TOKENIZER, query, passages, prompt_settings)
    assert query in prompt.text
    assert len(prompt.ids) <= 500
    assert prompt.passages == tuple(passages[: len(prompt.passages)])
    assert prompt.dropped == 6 - len(prompt.passages) > 0
    assert prompt.cut == len(prompt.passages)


def test_a_query_that_does_not_fit_is_refused_with_both_numbers() -> None:
    with pytest.raises(UserError, match=r"the query has \d+ tokens .* may have 64"):
        build_prompt(TOKENIZER, "q" * 100, [passage("x")], PromptSettings(max_tokens=64))


@given(st.text(min_size=1, max_size=80), st.text(max_size=80))
@settings(deadline=None)
def test_prompt_tokens_are_a_prefix_of_prompt_and_question(query: str, question: str) -> None:
    if not query.strip():
        query = "q"
    prompt = build_prompt(TOKENIZER, query, [passage("x")], PromptSettings())
    check_prefix(TOKENIZER, prompt, question)
    ids = encode_question(TOKENIZER, question)
    assert ids[-1] == TOKENIZER.eos_token_id
    assert all(i > 2 for i in ids[:-1])


def test_a_template_that_breaks_the_prefix_is_an_error(embedded_tokenizer: Any) -> None:
    import copy

    broken = copy.deepcopy(embedded_tokenizer)
    broken.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %} Question: wh"
    prompt = build_prompt(broken, "dune", None)
    with pytest.raises(UserError, match="not a prefix"):
        check_prefix(broken, prompt, "ich one?")


def test_templates_without_a_system_role_get_one_user_message() -> None:
    import copy

    gemma = copy.deepcopy(TOKENIZER)
    gemma.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}{{ '<model>\\n' }}"
    )
    text = build_prompt(gemma, "dune", None).text
    assert text.startswith("<user>Ask one clarifying question")
    assert text.endswith("Query: dune<model>\n")


def test_passages_without_title_or_text_render() -> None:
    assert render_passage(passage("body"), 3) == "[3] body"
    assert render_passage(passage("", title="T"), 1) == "[1] T"
    assert render_passage(passage("body", title="T", description="d"), 2, show_types=False) == "[2] T: body"
