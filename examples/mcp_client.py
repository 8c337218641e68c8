"""What an assistant does with ``rac mcp``: start it, list its tools, clarify, search again with the answer.

    python examples/mcp_client.py                      the embedded model; passages travel with the call
    python examples/mcp_client.py runs/quickstart      a run of yours and its index

An assistant that speaks MCP needs only the entry in ``mcp.json``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import mcp

PASSAGES = [
    {"id": "1", "title": "Mercury (planet)", "text": "Mercury is the smallest planet and the closest to the Sun."},
    {"id": "2", "title": "Mercury (element)", "text": "Mercury is a chemical element, a liquid metal."},
]


async def main() -> None:
    """Talk to the server over its standard input and output."""
    arguments = sys.argv[1:]
    server = mcp.StdioServerParameters(command=sys.executable, args=["-m", "rac", "mcp", *arguments])
    async with mcp.Client(server) as client:
        for tool in (await client.list_tools()).tools:
            print(f"{tool.name}: {tool.title}")
        call: dict[str, Any] = {"query": "mercury"} if arguments else {"query": "mercury", "passages": PASSAGES}
        found = (await client.call_tool("clarify", call)).structured_content or {}
        print(found["question"] or f"nothing is asked: {found['reason']}")
        for option in found["options"]:
            print(f"  - {option['text']}: {'supported' if option['supported'] else 'not supported'}")
        if found["question"] and arguments:
            answer = {"query": "mercury", "question": found["question"], "answer": found["options"][0]["text"]}
            refined = (await client.call_tool("refine", answer)).structured_content or {}
            print(f"searched for: {refined['query']}")
            for passage in refined["passages"][:3]:
                print(f"  {passage['title']}")


if __name__ == "__main__":
    asyncio.run(main())
