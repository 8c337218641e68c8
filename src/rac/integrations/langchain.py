"""LangChain and LangGraph: your retriever brings D, a graph asks the user and goes on with the answer.

    graph = clarification_graph(asker, retriever).compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    state = graph.invoke({"query": "mercury"}, config)
    state["__interrupt__"][0].value["question"]      # show it, with its options, then:
    state = graph.invoke(Command(resume="the planet"), config)
    state["rewritten_query"], state["documents"]     # answer from these

The graph is also a node of a larger one. Asking and waiting are two nodes, since LangGraph runs an interrupted node
again from its start: the question that the user answers is the one that was shown, and the model ran once for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypedDict

from rac.errors import UserError
from rac.files import sha256_json
from rac.records import Passage

try:
    from langchain_core.documents import Document
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import interrupt
except ImportError as error:
    raise UserError(
        "the LangGraph adapter needs langchain-core and langgraph, which are not installed: "
        "pip install 'rac-clarify[langchain]'"
    ) from error

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

    from rac.asking import Asker

_TEXT_KEYS = ("title", "description", "source")


def passages_of(documents: Sequence[Document]) -> list[Passage]:
    """Return D from retrieved documents.

    Title, types, description and source are read from the metadata of the same names; the id is that of the document,
    else ``id`` or ``doc_id`` of its metadata, else d1, d2, ... by rank. A second document with the same id gets its
    rank added, so that evidence names one passage.
    """
    passages: list[Passage] = []
    seen: set[str] = set()
    for rank, document in enumerate(documents, start=1):
        meta = document.metadata
        identity = str(document.id or meta.get("id") or meta.get("doc_id") or f"d{rank}")
        if identity in seen:
            identity = f"{identity}#{rank}"
        seen.add(identity)
        types = meta.get("types", ())
        title, description, source = (str(meta.get(key) or "") for key in _TEXT_KEYS)
        passages.append(
            Passage(
                id=identity,
                text=document.page_content,
                title=title,
                description=description,
                source=source,
                types=(types,) if isinstance(types, str) else tuple(str(t) for t in types),
            )
        )
    return passages


def documents_of(passages: Sequence[Passage]) -> list[Document]:
    """Return passages as documents; ``passages_of`` gives them back."""
    return [
        Document(
            id=p.id,
            page_content=p.text,
            metadata={
                **{key: value for key in _TEXT_KEYS if (value := getattr(p, key))},
                **({"types": list(p.types)} if p.types else {}),
            },
        )
        for p in passages
    ]


class DocumentsFor(TypedDict):
    """Which query documents in the state belong to, and a hash by which they are known again."""

    query: str
    digest: str


class ClarificationState(TypedDict, total=False):
    """What the graph reads and writes; every value is plain data that a checkpointer can store.

    ``query`` is what goes in. ``documents`` are D, given or retrieved, and after an answer those of the new query;
    ``documents_for`` says for which query they were left, so that another query on the same thread retrieves again
    unless other documents come with it. ``question`` is None if none is asked, ``reason`` says why. ``options`` are
    dicts of ``text``, ``supported``, ``score`` and ``evidence``. ``answer`` is what the user said (None before),
    ``rewritten_query`` the query with it (the query itself if nothing was asked), ``option`` the option that was
    picked.
    """

    query: str
    documents: list[Document]
    documents_for: DocumentsFor
    question: str | None
    reason: str
    options: list[dict[str, Any]]
    faithfulness: float | None
    answer: str | None
    option: str | None
    rewritten_query: str


def clarification_graph(
    asker: Asker,
    retriever: Runnable[str, list[Document]] | None = None,
    *,
    n: int = 4,
    min_faithfulness: float = 1.0,
    top_k: int | None = None,
) -> StateGraph[ClarificationState]:
    """Return the graph: ask about the query, wait for the user's answer, retrieve again for the refined query.

    On a thread that goes on with another query, documents are retrieved again; documents that are passed in with the
    query are used, except the very ones that the thread holds for the query before.

    If no question can be asked (fewer than two options that passages support) the graph ends at once, with
    ``rewritten_query`` the query itself. To wait for a user it must be compiled with a checkpointer. Resume with the
    user's words: an option, "the first one", or free text.

    Args:
        asker: The model, and its index where there is no retriever.
        retriever: Any LangChain retriever; called with the query, and again with the refined one.
        n: Candidates at most.
        min_faithfulness: Least mean support of the options, 0..1.
        top_k: Passages from the asker's own index; a retriever has its own setting.
    """
    if retriever is None and asker.index is None:
        raise UserError("there is nothing to retrieve from: pass a retriever, or open the Asker with an index")
    if retriever is not None and top_k is not None:
        raise UserError("top_k is for the asker's own index: set the number of documents on the retriever itself")

    def find(query: str) -> list[Document]:
        if retriever is not None:
            return list(retriever.invoke(query))
        return documents_of(asker.retrieve(query, top_k))

    def ask(state: ClarificationState) -> ClarificationState:
        query = state["query"]
        documents = find(query) if _must_retrieve(state) else state["documents"]
        found = asker.ask(query, passages=passages_of(documents), n=n, min_faithfulness=min_faithfulness)
        return {
            "documents": documents,
            "documents_for": _belonging_to(query, documents),
            "question": found.question,
            "reason": found.reason,
            "options": [_plain(option) for option in found.options],
            "faithfulness": found.faithfulness,
            # A thread keeps what an earlier query left.
            "answer": None,
            "option": None,
            "rewritten_query": query,
        }

    def answer(state: ClarificationState) -> ClarificationState:
        from rac.server.refining import refine_query

        question = state["question"]
        assert question is not None
        said = str(interrupt({"query": state["query"], "question": question, "options": state["options"]}))
        refined = refine_query(state["query"], question, said)
        documents = find(refined.query)
        return {
            "answer": said,
            "option": refined.option,
            "rewritten_query": refined.query,
            "documents": documents,
            "documents_for": _belonging_to(refined.query, documents),
        }

    graph: StateGraph[ClarificationState] = StateGraph(ClarificationState)
    graph.add_node("ask", ask)
    graph.add_node("answer", answer)
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", lambda state: "answer" if state["question"] else END, ["answer", END])
    graph.add_edge("answer", END)
    return graph


def _must_retrieve(state: ClarificationState) -> bool:
    """Whether there are no documents, or only those that the thread has kept of another query."""
    if not state.get("documents"):
        return True
    left = state.get("documents_for")
    if left is None or left["query"] == state["query"]:
        return False
    return left == _belonging_to(left["query"], state["documents"])


def _belonging_to(query: str, documents: Sequence[Document]) -> DocumentsFor:
    return {"query": query, "digest": sha256_json([[d.id, d.page_content, d.metadata] for d in documents])}


def _plain(option: Any) -> dict[str, Any]:
    return {**asdict(option), "evidence": [asdict(e) for e in option.evidence]}
