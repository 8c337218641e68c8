"""Claims by a language model: strict replies, spans that stand in the question, another splitter in the suite."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from rac.metrics.claims import claim_from_text, claims
from rac.metrics.claims_llm import LLMSplitter, _check, locate
from rac.metrics.suite import evaluate
from rac.metrics.verdicts import InvalidReply, Verdict
from rac.records import ClarificationExample, Passage, Prediction

QUESTION = "When you say Luna, do you mean the ship, the band or non opera Luna?"


def reply(*pairs: tuple[str, str]) -> str:
    return json.dumps({"claims": [{"kind": kind, "text": text} for kind, text in pairs]})


class FakeAsker:
    """Answers from a script: question -> text of the reply."""

    def __init__(self, script: dict[str, str]) -> None:
        self.script, self.server = script, SimpleNamespace(model="fake")

    def ask(self, requests, check, *, label):
        verdicts = []
        for request in requests:
            text = self.script[json.loads(request.messages[1]["content"])["question"]]
            try:
                verdicts.append(Verdict(check(text), text))
            except InvalidReply as problem:
                verdicts.append(Verdict(None, text, f"invalid-verdict: {problem}"))
        return verdicts


def test_quoted_spans_become_the_claims_that_the_rules_would_make() -> None:
    text = reply(("ATTRIBUTE", "Luna"), ("OPTION", "the ship"), ("OPTION", "the band"), ("NOT-TYPE", "non opera Luna"))
    made = LLMSplitter(FakeAsker({QUESTION: text})).split([QUESTION], ["Who built Luna?"])[0]
    assert made.claims == claims(QUESTION, "Who built Luna?")


@pytest.mark.parametrize(
    "text",
    ["no json", "[]", "{}", '{"claims": 3}', '{"claims": [{"kind": "OPTION"}]}', reply(("GUESS", "the ship")),
     reply(("OPTION", "")), json.dumps({"claims": [], "more": 1}), reply(*[("OPTION", "a")] * 21)],
)  # fmt: skip
def test_replies_that_are_not_what_was_asked_for_are_refused(text: str) -> None:
    with pytest.raises(InvalidReply):
        _check(text)


def test_a_text_that_the_question_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidReply, match="the opera"):
        locate([("OPTION", "the opera")], "Do you mean the ship?", "Luna")
    made = LLMSplitter(FakeAsker({QUESTION: reply(("OPTION", "the circus"))})).split([QUESTION], ["x"])[0]
    assert made.claims is None and made.reason.startswith("invalid-claims")


def test_the_suite_scores_other_languages_with_it_and_says_so() -> None:
    question = "Meinen Sie das Schiff oder die Band, die aus New York ist?"
    passages = (Passage(id="a", text="Das Schiff."), Passage(id="b", text="Die Band aus New York."))
    example = ClarificationExample(id="q", query="Luna", passages=passages)
    prediction = Prediction(id="q", question=question)
    splitter = LLMSplitter(FakeAsker({question: reply(("OPTION", "das Schiff"), ("OPTION", "die Band"))}))
    found = evaluate([prediction], [example], splitter=splitter)
    assert found.per_item[0]["headline"] > 0.9
    assert "claims:llm-1:fake" in found.signature
    assert evaluate([prediction], [example]).per_item[0]["reason"] == "language"
    broken = evaluate([prediction], [example], splitter=LLMSplitter(FakeAsker({question: "?"})))
    assert broken.per_item[0]["headline"] is None and broken.per_item[0]["reason"].startswith("invalid-verdict")


def test_claims_of_spans() -> None:
    question = "Do you mean [2] Marco Polo?"
    made = claim_from_text("OPTION", question, 12, 26, "polo")
    assert made.text == "Marco Polo" and made.terms == ("marco",)
    echo = claim_from_text("ATTRIBUTE", QUESTION, 13, 17, "Luna")
    assert echo.echo and not claim_from_text("ATTRIBUTE", "Luna sank.", 0, 9, "Luna").echo
