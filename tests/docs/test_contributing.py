"""The worked examples of CONTRIBUTING.md: applied to a copy of the package, then run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = ("Add a benchmark", "Add an indexing strategy", "Add a metric")
FENCE = re.compile(r"^```(python|diff)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def apply_diff(text: str, root: Path) -> None:
    """Make the changes: lines that stay or go have to stand in the file exactly once, one after the other."""
    for part in re.split(r"^--- ", text, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        path = root / name
        for hunk in body.split("@@\n"):
            lines = hunk.splitlines()
            old = "\n".join(line[1:] for line in lines if line[0] != "+")
            new = "\n".join(line[1:] for line in lines if line[0] != "-")
            content = path.read_text(encoding="utf-8")
            assert content.count(old) == 1, f"{name} has {content.count(old)} times: {old}"
            path.write_text(content.replace(old, new), encoding="utf-8")


def write_example(heading: str, root: Path) -> list[Path]:
    """Write the files of an example below ``root`` and return its tests."""
    tests = []
    for language, text in FENCE.findall(section(heading)):
        if language == "diff":
            apply_diff(text, root)
            continue
        path = root / text.splitlines()[0].removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.name.startswith("test_"):
            tests.append(path)
    return tests


@pytest.mark.parametrize("heading", EXAMPLES)
def test_a_worked_example_does_what_it_says(heading: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (test,) = write_example(heading, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(test)],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src"), "RAC_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_every_file_of_the_examples_is_short_and_passes_the_linter(tmp_path: Path) -> None:
    texts = [text for heading in EXAMPLES for language, text in FENCE.findall(section(heading)) if language == "python"]
    for text in texts:
        path = tmp_path / text.splitlines()[0].removeprefix("# ")
        assert len([line for line in text.splitlines() if line.strip()]) < 60, path.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    lint = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    lint += ["--config", 'lint.isort.known-first-party = ["rac"]', "."]
    done = subprocess.run(lint, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
