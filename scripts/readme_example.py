"""Write the README's example from a run: ``python scripts/readme_example.py runs/quickstart QUERY``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- example: begin", "<!-- example: end -->"


def main() -> None:
    """Ask the query with every model of the run and put what the command printed between the markers."""
    run, query = sys.argv[1:3]
    asked = subprocess.run(["rac", "ask", run, query], capture_output=True, text=True, check=True).stdout
    printed = asked.replace(str(run), "runs/quickstart").rstrip()
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN, 1)
    marker, tail = rest.split("\n", 1)[0], rest.split(END, 1)[1]
    block = f'```console\n$ rac ask runs/quickstart "{query}"\n{printed}\n```\n'
    README.write_text(f"{head}{BEGIN}{marker}\n{block}{END}{tail}", encoding="utf-8")


main()
