"""``rac mcp`` as assistants use it: the official client, over standard input and output of a real process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rac.errors import UserError
from server_support import D

pytestmark = pytest.mark.extra
mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")

SERVER = """
import sys
sys.path[:0] = {paths!r}
from server_support import GOOD, ListIndex, scripted_asker
from rac.asking import Asker
from rac.integrations.mcp_server import run_stdio
from tests_support import byte_tokenizer

class Scripted:
    def greedy(self, prompts, label=""):
        from rac.generation.candidates import Candidate
        print("a library that prints must not break the protocol", file=sys.stderr)
        return [Candidate(GOOD, [], 0.0, True) for _ in prompts]
    def sample(self, prompts, n, *, seed, label=""):
        return [self.greedy(prompts) * n for _ in prompts]

run_stdio(lambda: Asker(None, byte_tokenizer(), name="scripted", index={index}, generator=Scripted()))
"""


def with_client(code: list[str], work: Callable[[Any], Awaitable[None]]) -> None:
    async def run() -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        parameters = mcp.StdioServerParameters(command=sys.executable, args=code, env=environment)
        async with mcp.Client(parameters, read_timeout_seconds=300) as client:
            await work(client)

    asyncio.run(asyncio.wait_for(run(), 600))


def scripted(index: str = "ListIndex()") -> list[str]:
    return ["-c", SERVER.format(paths=[str(Path(__file__).resolve().parents[1])], index=index)]


def test_an_assistant_clarifies_searches_and_refines() -> None:
    async def work(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"clarify", "search", "refine"}
        assert "query" in tools["clarify"].input_schema["required"]
        asked = (await client.call_tool("clarify", {"query": "mercury"})).structured_content
        assert asked["question"].startswith("Do you mean the planet Mercury")
        assert [o["supported"] for o in asked["options"]] == [True, True]
        evidence = asked["options"][0]["evidence"][0]
        passage = next(p for p in asked["passages"] if p["id"] == evidence["passage_id"])
        value = ", ".join(passage["types"]) if evidence["field"] == "types" else passage[evidence["field"]]
        assert value[evidence["start"] : evidence["end"]] == evidence["text"]
        given = (await client.call_tool("clarify", {"query": "mercury", "passages": D[:1]})).structured_content
        assert given["question"] is None and "1 option" in given["reason"]
        found = (await client.call_tool("search", {"query": "mercury", "top_k": 2})).structured_content
        assert [p["id"] for p in found["passages"]] == ["a", "b"]
        refined = (
            await client.call_tool(
                "refine", {"query": "mercury", "question": asked["question"], "answer": "the second one"}
            )
        ).structured_content
        assert refined["option"] == "the chemical element Mercury" and "element" in refined["query"]

    with_client(scripted(), work)


def test_what_a_caller_can_mend_is_an_error_in_one_sentence() -> None:
    async def work(client: Any) -> None:
        for tool, arguments, message in (
            ("clarify", {"query": "  "}, "`query` is empty"),
            ("search", {"query": "x" * 5000}, "2000 are allowed"),
            ("search", {"query": "mercury"}, "no index to retrieve from"),
            ("clarify", {"query": "mercury", "passages": [{"id": "a", "text": ""}]}, "needs text or a title"),
        ):
            result = await client.call_tool(tool, arguments)
            assert result.is_error and message in result.content[0].text, result.content
        # An error ends nothing: the next call is answered.
        assert not (await client.call_tool("clarify", {"query": "mercury", "passages": D})).is_error

    with_client(scripted("None"), work)


@pytest.mark.model
def test_the_command_over_a_folder_of_documents(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "planet.md").write_text("# Mercury (planet)\n\nMercury is the planet closest to the Sun.\n")
    (docs / "element.md").write_text("# Mercury (element)\n\nMercury is a chemical element and a liquid metal.\n")

    async def work(client: Any) -> None:
        found = (await client.call_tool("search", {"query": "liquid metal"})).structured_content
        assert "chemical element" in found["passages"][0]["text"]
        asked = (await client.call_tool("clarify", {"query": "mercury"})).structured_content
        assert len(asked["passages"]) == 2
        assert asked["question"] is None or all(o["supported"] for o in asked["options"])

    with_client(["-m", "rac", "mcp", "--corpus", str(docs)], work)


def test_a_model_that_cannot_be_loaded_is_said_in_every_call() -> None:
    code = (
        "from rac.errors import UserError\nfrom rac.integrations.mcp_server import run_stdio\n"
        "def broken():\n    raise UserError('no model lies there')\nrun_stdio(broken)"
    )

    async def work(client: Any) -> None:
        for _ in range(2):
            result = await client.call_tool("search", {"query": "mercury"})
            assert result.is_error and "no model lies there" in result.content[0].text

    with_client(["-c", code], work)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nowhere"], "no model at 'nowhere'"), (["--index", "nowhere"], "no index at nowhere"),
     (["--index", ".", "--corpus", "."], "exclude each other")],
)  # fmt: skip
def test_arguments_that_cannot_work_end_the_command(arguments: list[str], message: str) -> None:
    from typer.testing import CliRunner

    from rac.cli import app, register_commands

    register_commands()
    result = CliRunner().invoke(app, ["mcp", *arguments])
    assert isinstance(result.exception, UserError) and message in str(result.exception)
