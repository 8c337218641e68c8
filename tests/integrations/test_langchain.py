"""The LangGraph adapter inside the real framework: retriever in, interrupt, resume, and as part of a larger graph."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from rac.asking import Asker
from rac.errors import UserError
from rac.generation.candidates import Candidate
from rac.records import Passage
from server_support import GOOD, INVENTED, D, ListIndex
from tests_support import byte_tokenizer

pytestmark = pytest.mark.extra
pytest.importorskip("langgraph", reason="the extra langchain is not installed")

from langchain_core.documents import Document  # noqa: E402
from langchain_core.retrievers import BaseRetriever  # noqa: E402
from langgraph.checkpoint.memory import InMemorySaver  # noqa: E402
from langgraph.graph import END, START, StateGraph  # noqa: E402
from langgraph.types import Command  # noqa: E402

from rac.integrations.langchain import (  # noqa: E402
    ClarificationState,
    clarification_graph,
    documents_of,
    passages_of,
)

THREAD: Any = {"configurable": {"thread_id": "t"}}


class Says:
    """A generator that says one thing and counts how often it was asked."""

    def __init__(self, text: str = GOOD) -> None:
        self.text, self.asked = text, 0

    def greedy(self, prompts: Any, label: str = "") -> list[Candidate]:
        self.asked += 1
        return [Candidate(self.text, [], 0.0, True) for _ in prompts]

    def sample(self, prompts: Any, n: int, *, seed: int, label: str = "") -> list[list[Candidate]]:
        return [[Candidate(self.text, [], 0.0, True)] * n for _ in prompts]


class Listed(BaseRetriever):
    """A user's retriever."""

    queries: list[str] = Field(default_factory=list)

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        self.queries.append(query)
        return documents_of([Passage.model_validate(p) for p in D])


def asker_of(generator: Says, index: Any = None) -> Asker:
    return Asker(None, byte_tokenizer(), name="says", index=index, generator=generator)


def test_interrupt_shows_the_question_and_resume_goes_on_with_the_answer() -> None:
    generator, retriever = Says(), Listed()
    graph = clarification_graph(asker_of(generator), retriever).compile(checkpointer=InMemorySaver())
    state = graph.invoke({"query": "mercury"}, THREAD)
    shown = state["__interrupt__"][0].value
    assert shown["question"] == GOOD
    assert [o["text"] for o in shown["options"]] == ["the planet Mercury", "the chemical element Mercury"]
    assert shown["options"][0]["evidence"][0]["passage_id"] == "a"
    state = graph.invoke(Command(resume="the second one"), THREAD)
    assert state["option"] == "the chemical element Mercury"
    assert state["rewritten_query"] == "mercury chemical element"
    assert retriever.queries == ["mercury", "mercury chemical element"]
    assert generator.asked == 1, "the question that was shown is the one that is answered"


def test_without_two_supported_options_the_graph_goes_on_without_asking() -> None:
    graph = clarification_graph(asker_of(Says(INVENTED)), Listed(), n=2).compile(checkpointer=InMemorySaver())
    state = graph.invoke({"query": "mercury"}, THREAD)
    assert "__interrupt__" not in state
    assert state["question"] is None
    assert "two are needed" in state["reason"] and state["rewritten_query"] == "mercury"
    assert len(state["documents"]) == 3


@pytest.mark.parametrize("answered", [True, False])
def test_another_query_on_the_thread_is_asked_over_its_own_documents(answered: bool) -> None:
    retriever = Listed()
    graph = clarification_graph(asker_of(Says()), retriever).compile(checkpointer=InMemorySaver())
    graph.invoke({"query": "mercury"}, THREAD)
    if answered:
        assert graph.invoke(Command(resume="the first one"), THREAD)["option"] is not None
    state = graph.invoke({"query": "jaguar"}, THREAD)
    assert retriever.queries[-1] == "jaguar"
    assert state["__interrupt__"][0].value["query"] == "jaguar"
    assert (state["answer"], state["option"], state["rewritten_query"]) == (None, None, "jaguar")
    graph.invoke(Command(resume="the first one"), THREAD)
    asked = len(retriever.queries)
    given = documents_of([Passage.model_validate(p) for p in D[:2]])
    state = graph.invoke({"query": "mercury", "documents": given}, THREAD)
    assert len(retriever.queries) == asked and state["documents"] == given, "documents that come with a query are used"
    state = graph.invoke({"query": "puma"}, THREAD)
    assert retriever.queries[-1] == "puma" and len(state["documents"]) == 3


def test_as_a_node_of_a_larger_graph_with_documents_given_and_the_askers_own_index() -> None:
    class State(ClarificationState, total=False):
        final: str

    inner = clarification_graph(asker_of(Says(), ListIndex()), top_k=2).compile()
    outer = StateGraph(State)
    outer.add_node("clarify", inner)
    outer.add_node("say", lambda s: {"final": f"{s['rewritten_query']}: {s['documents'][0].page_content}"})
    outer.add_edge(START, "clarify")
    outer.add_edge("clarify", "say")
    outer.add_edge("say", END)
    graph = outer.compile(checkpointer=InMemorySaver())
    given = documents_of([Passage.model_validate(p) for p in D])
    state = graph.invoke({"query": "mercury", "documents": given}, THREAD)
    assert state["__interrupt__"][0].value["question"] == GOOD
    state = graph.invoke(Command(resume="the planet Mercury"), THREAD)
    assert state["final"].startswith("mercury planet: Mercury is the first planet")


def test_documents_and_passages_there_and_back() -> None:
    passages = [Passage.model_validate(p) for p in D]
    assert passages_of(documents_of(passages)) == passages
    loose = [Document(page_content="a", metadata={"id": 7, "types": "film"}), Document(page_content="b", id="7")]
    made = passages_of([*loose, Document(page_content="c", metadata={"page": 3})])
    assert [(p.id, p.types) for p in made] == [("7", ("film",)), ("7#2", ()), ("d3", ())]


def test_nothing_to_retrieve_from_is_said_when_the_graph_is_made() -> None:
    with pytest.raises(UserError, match="pass a retriever"):
        clarification_graph(asker_of(Says()))
    with pytest.raises(UserError, match="on the retriever itself"):
        clarification_graph(asker_of(Says()), Listed(), top_k=3)
