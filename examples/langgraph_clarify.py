"""A LangGraph that asks the user before it answers.

    python examples/langgraph_clarify.py                          the embedded model, four passages, answers given here
    python examples/langgraph_clarify.py runs/quickstart --ask    a run of yours and its index, you answer

The retriever can be any LangChain retriever (a vector store's ``as_retriever()``); here it is a list of documents.
"""

from __future__ import annotations

import argparse
from typing import Any, TypedDict

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from rac.asking import Asker
from rac.integrations.langchain import clarification_graph
from rac.models import default_model

DOCUMENTS = [
    Document("Mercury is the smallest planet and the closest to the Sun.", metadata={"title": "Mercury (planet)"}),
    Document("Mercury is a chemical element, a liquid metal.", metadata={"title": "Mercury (element)"}),
    Document("Mercury is a Roman god, the messenger of the gods.", metadata={"title": "Mercury (mythology)"}),
    Document("Venus is the second planet from the Sun.", metadata={"title": "Venus"}),
]


class WordRetriever(BaseRetriever):
    """Documents by shared words, the most of them first."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        words = set(query.lower().split())

        def shared(document: Document) -> int:
            text = f"{document.metadata['title']} {document.page_content}"
            return len(words & set(text.lower().replace("(", " ").replace(")", " ").replace(".", " ").split()))

        return [d for d in sorted(DOCUMENTS, key=shared, reverse=True) if shared(d)][:3]


class State(TypedDict, total=False):
    """The state of the whole graph; the clarification reads and writes what it knows of it."""

    query: str
    question: str | None
    reason: str
    rewritten_query: str
    documents: list[Document]
    reply: str


def reply(state: State) -> State:
    """Stand in for whatever answers from documents: here the best one is quoted."""
    best = state["documents"][0] if state["documents"] else None
    return {"reply": best.page_content if best else "Nothing was found."}


def main() -> None:
    """Ask about one query."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", help="a run directory; its index is used then")
    parser.add_argument("--query", default="mercury")
    parser.add_argument("--ask", action="store_true", help="ask you, instead of answering with the first option")
    options = parser.parse_args()

    asker = Asker.open(options.run or default_model())
    graph = StateGraph(State)
    graph.add_node("clarify", clarification_graph(asker, None if options.run else WordRetriever()).compile())
    graph.add_node("reply", reply)
    graph.add_edge(START, "clarify")
    graph.add_edge("clarify", "reply")
    graph.add_edge("reply", END)
    # In production a checkpointer on disk or in a database: the user may answer tomorrow.
    app = graph.compile(checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "user-1"}}

    state = app.invoke({"query": options.query}, thread)
    if "__interrupt__" in state:
        asked = state["__interrupt__"][0].value
        print(asked["question"])
        for option in asked["options"]:
            backed = ", ".join(dict.fromkeys(e["title"] or e["passage_id"] for e in option["evidence"]))
            print(f"  - {option['text']}   (backed by: {backed})")
        answer = input("> ") if options.ask else asked["options"][0]["text"]
        print(f"answer: {answer}")
        state = app.invoke(Command(resume=answer), thread)
    else:
        print(f"nothing is asked: {state['reason']}")
    print(f"searched for: {state['rewritten_query']}")
    print(f"reply: {state['reply']}")


if __name__ == "__main__":
    main()
