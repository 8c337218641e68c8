"""The single place where U_q and D become a prompt; training, generation and serving share it.

A prompt is a chat of a system message, a user message and the opening of the assistant's turn::

    Ask one clarifying question about the query. Offer only what the passages say.

    [1] Dune (novel): Dune is a 1965 epic science fiction novel ...
    [2] Dune (1984 film) (film): ...
    Query: dune

Each passage is one line, so nothing inside a passage can leave its delimiters; control tokens of chat templates inside
passages and queries are neutralised. Passages are cut to a token budget, the query never.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rac.errors import UserError
from rac.records import Passage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SYSTEM_GROUNDED = "Ask one clarifying question about the query. Offer only what the passages say."
SYSTEM_UNGROUNDED = "Ask one clarifying question about the query."
PROMPT_VERSION = "prompt-1"
"""Changes with the wording or layout of prompts; models and pairs made with another version do not mix."""

# Control tokens of the chat templates in use, for models whose tokenizer is not at hand (an HTTP back end).
_CONTROL = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|</?s>|\[/?INST\]|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|<</?SYS>>"
    r"|</?(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>|<\uff5c[^<>\s]{1,40}\uff5c>"
)
_SPACES = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class PromptSettings(BaseModel):
    """How U_q and D become a prompt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    passages: Literal["retrieved", "gold", "mixed"] = Field(
        "retrieved",
        description="Where D comes from: what the index returns, the gold passages, or a mix of both "
        "(gold passages made present in `gold_share` of the training prompts).",
    )
    top_k: int = Field(5, ge=1, le=100, description="Number of passages in D.")
    passage_tokens: int = Field(48, ge=8, description="Tokens kept of each passage line, title and types included.")
    max_tokens: int = Field(1024, ge=64, description="Tokens of a whole prompt; passages from the end are left out.")
    shuffle: bool = Field(False, description="Shuffle D by seed in training, so that order carries no information.")
    gold_share: float = Field(
        0.8, ge=0, le=1, description="With `passages: mixed`: share of prompts that hold all gold passages."
    )
    show_types: bool = Field(True, description="Show the types or the short description behind the title.")


@dataclass(frozen=True)
class Prompt:
    """A prompt ready for a model.

    Attributes:
        text: The rendered chat, up to and including the opening of the assistant's turn.
        messages: The chat as role/content messages, for servers that render it themselves.
        ids: Token ids of ``text``.
        passages: The passages that are in the prompt, in order.
        cut: How many of these were cut to the token budget.
        dropped: How many passages were left out because the prompt was full.
    """

    text: str
    messages: tuple[dict[str, str], ...]
    ids: tuple[int, ...]
    passages: tuple[Passage, ...]
    cut: int
    dropped: int


@dataclass(frozen=True)
class Shot:
    """A solved example that a prompt shows before its own query: U_q, D and C_q."""

    query: str
    passages: tuple[Passage, ...]
    question: str


def neutralise(text: str, control_tokens: Sequence[str] = ()) -> str:
    """Return ``text`` on one line and without anything that a chat template or tokenizer reads as control.

    A control token keeps its letters but gets a space behind its first character, which no tokenizer joins again.

    Args:
        text: Untrusted text.
        control_tokens: Special tokens of the tokenizer in use, beside the widely used ones that are always handled.
    """
    text = _SPACES.sub(" ", text).strip()
    literal = [t for t in control_tokens if len(t) > 1 and not t.isspace()]
    while True:
        # Repeated, since removing one token can bring the halves of another together.
        before = text
        text = _CONTROL.sub(lambda m: m[0][0] + " " + m[0][1:], text)
        for token in literal:
            if token in text:
                text = text.replace(token, token[0] + " " + token[1:])
        if text == before:
            return text


def passage_label(passage: Passage) -> str:
    """Return what is shown in parentheses behind a title: the types, else the short description."""
    return ", ".join(passage.types) or passage.description


def render_passage(
    passage: Passage, number: int, *, show_types: bool = True, control_tokens: Sequence[str] = ()
) -> str:
    """Return a passage as its prompt line ``[i] title (types): text``."""
    label = passage_label(passage) if show_types else ""
    head = " ".join(part for part in (passage.title, f"({label})" if label else "") if part)
    body = f"{head}: {passage.text}" if head and passage.text else head or passage.text
    return f"[{number}] {neutralise(body, control_tokens)}"


@lru_cache(maxsize=8)
def _control_tokens(tokenizer: Any) -> tuple[str, ...]:
    return tuple(sorted({*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}, key=len, reverse=True))


def cut_to_tokens(tokenizer: PreTrainedTokenizerBase, text: str, limit: int) -> tuple[str, bool]:
    """Cut ``text`` to ``limit`` tokens, at a word border where one is near; return it and whether it was cut."""
    # A token has at least one character, so short texts need no tokenizer; long ones are not tokenised whole.
    text_head = text[: limit * 24]
    ids = tokenizer(text_head, add_special_tokens=False).input_ids
    if len(ids) <= limit and len(text_head) == len(text):
        return text, False
    cut: str = tokenizer.decode(ids[:limit], skip_special_tokens=False, clean_up_tokenization_spaces=False)
    cut = cut.rstrip("\ufffd")
    border = cut.rfind(" ")
    if border > len(cut) * 0.6:
        cut = cut[:border]
    return cut.rstrip(" ,;:(") + " …", True


def passages_in_prompt(
    tokenizer: PreTrainedTokenizerBase, query: str, passages: Sequence[Passage], settings: PromptSettings
) -> list[Passage]:
    """Return the first passages, as many as a prompt of ``query`` has room for, their texts cut to what it shows.

    What a model cannot see it cannot learn to offer: training questions are checked against these.
    """
    shown = []
    control = _control_tokens(tokenizer)
    for number, passage in enumerate(build_prompt(tokenizer, query, passages, settings).passages, start=1):
        line = render_passage(passage, number, show_types=settings.show_types, control_tokens=control)
        kept, was_cut = cut_to_tokens(tokenizer, line, settings.passage_tokens)
        if was_cut:
            head = len(line) - len(neutralise(passage.text, control))
            passage = passage.model_copy(update={"text": kept.removesuffix(" …")[head:]})
        shown.append(passage)
    return shown


def _render(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]]) -> str:
    """Render a chat with the model's own template; models without one get plain paragraphs."""
    if not tokenizer.chat_template:
        asked = [("Question:\n" if m["role"] == "assistant" else "") + m["content"] for m in messages]
        return "\n\n".join([*asked, "Question:\n"])
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except Exception as error:
        if messages[0]["role"] != "system" or "system" not in str(error).lower():
            raise
        # Templates such as Gemma's know no system role.
        merged = messages[0]["content"] + "\n\n" + messages[1]["content"]
        return _render(tokenizer, [{"role": "user", "content": merged}, *messages[2:]])
    return str(text)


def _turn(query: str, lines: Sequence[str] | None) -> dict[str, str]:
    return {"role": "user", "content": "\n".join([*(lines or ()), f"Query: {query}"])}


def _passage_lines(
    tokenizer: PreTrainedTokenizerBase, passages: Sequence[Passage], settings: PromptSettings
) -> tuple[list[str], list[bool]]:
    """Return the line of each passage, cut to its budget, and whether it was cut."""
    control = _control_tokens(tokenizer)
    lines, cuts = [], []
    for number, passage in enumerate(passages, start=1):
        line, was_cut = cut_to_tokens(
            tokenizer,
            render_passage(passage, number, show_types=settings.show_types, control_tokens=control),
            settings.passage_tokens,
        )
        lines.append(neutralise(line, control))
        cuts.append(was_cut)
    return lines, cuts


def build_prompt(
    tokenizer: PreTrainedTokenizerBase,
    query: str,
    passages: Sequence[Passage] | None,
    settings: PromptSettings | None = None,
    *,
    shots: Sequence[Shot] = (),
) -> Prompt:
    """Build the prompt of p(C_q | U_q, D), or of p(C_q | U_q) if ``passages`` is None.

    Args:
        tokenizer: The model's tokenizer; its chat template renders the prompt.
        query: U_q. Never cut.
        passages: D in the order shown, or None for the ungrounded model.
        settings: Budgets and what is shown.
        shots: Solved examples shown as earlier turns of the chat. ``settings.max_tokens`` is then for each turn.

    Raises:
        UserError: if the query alone does not fit into ``settings.max_tokens``.
    """
    settings = settings or PromptSettings()
    control = _control_tokens(tokenizer)
    query = neutralise(query, control)
    lines: list[str] | None = None
    cuts: list[bool] = []
    dropped = 0
    if passages is not None:
        lines, cuts = _passage_lines(tokenizer, passages, settings)
    head = [{"role": "system", "content": SYSTEM_UNGROUNDED if lines is None else SYSTEM_GROUNDED}]
    for shot in shots:
        shown = None if lines is None else _passage_lines(tokenizer, shot.passages, settings)[0]
        head.append(_turn(neutralise(shot.query, control), shown))
        head.append({"role": "assistant", "content": neutralise(shot.question, control)})
    limit = settings.max_tokens * (1 + len(shots))
    while True:
        messages = [*head, _turn(query, lines)]
        text = _render(tokenizer, messages)
        ids = tokenizer(text, add_special_tokens=not tokenizer.chat_template).input_ids
        if len(ids) <= limit:
            break
        if not lines:
            raise UserError(
                f"the query has {len(ids)} tokens with its frame and the prompt may have {limit}; "
                "a query is never cut: shorten it, or raise prompt.max_tokens"
            )
        lines.pop()
        cuts.pop()
        dropped += 1
    kept = tuple(passages[: len(lines)]) if passages is not None and lines is not None else ()
    return Prompt(text, tuple(messages), tuple(ids), kept, sum(cuts), dropped)


def end_of_turn_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that ends a question: the tokenizer's end-of-sequence token."""
    if tokenizer.eos_token_id is None:
        raise UserError("the tokenizer has no end-of-sequence token, so no question can end; use another base model")
    return int(tokenizer.eos_token_id)


def encode_question(tokenizer: PreTrainedTokenizerBase, question: str) -> list[int]:
    """Return the token ids of a question and its end; prompt ids + these ids is the full training sequence."""
    text = neutralise(question, _control_tokens(tokenizer))
    return [*tokenizer(text, add_special_tokens=False).input_ids, end_of_turn_id(tokenizer)]


def check_prefix(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, question: str) -> None:
    """Make sure that the prompt's tokens are a prefix of the tokens of prompt + question.

    Raises:
        UserError: if the tokenizer joins the prompt's end with the question, so that log-probabilities of the question
            given the prompt would be of other tokens than those that are generated.
    """
    text = neutralise(question, _control_tokens(tokenizer))
    whole = tokenizer(prompt.text + text, add_special_tokens=not tokenizer.chat_template).input_ids
    if tuple(whole[: len(prompt.ids)]) != prompt.ids:
        raise UserError(
            "the tokenised prompt is not a prefix of prompt + question: this model's chat template ends in a way that "
            "its tokenizer joins with the answer; use a model whose template ends with a line break or a special token"
        )
