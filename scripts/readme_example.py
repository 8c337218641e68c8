"""Write the README's example from a run: ``python scripts/readme_example.py runs/quickstart QUERY``."""

from __future__ import annotations

import subprocess
import sys

from readme_results import README, written


def main() -> None:
    """Ask the query with every model of the run and put what the command printed between the markers."""
    run, query = sys.argv[1:3]
    asked = subprocess.run(["rac", "ask", run, query], capture_output=True, text=True, check=True).stdout
    printed = asked.replace(str(run), "runs/quickstart").rstrip()
    block = f'```console\n$ rac ask runs/quickstart "{query}"\n{printed}\n```\n'
    README.write_text(written(README.read_text(encoding="utf-8"), "example", block), encoding="utf-8")


main()
