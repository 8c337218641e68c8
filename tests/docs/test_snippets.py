"""Every command and Python snippet of README.md, CONTRIBUTING.md and docs/*.md is run, in order, a folder per page.

Blocks under ``<!-- not run: reason -->`` are not; they are printed with their reasons (``pytest -rA``).
``rac quickstart`` and ``rac train`` get the settings of a tiny run appended; ``REPLACED`` names what else differs.
Status 1 of ``rac doctor`` is a finding about the machine, not an error of the page. A bare fence must not hide a
command.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rac.cli import app, register_commands

pytestmark = pytest.mark.extra

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^( *)```([\w-]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: ([^>]+) -->\n$")
COMMAND = re.compile(r"^(\$ )?(rac|python|pip|make|curl|torchrun|accelerate|vllm|docker) [\w/'.-]", re.MULTILINE)
BENCHMARK = re.compile(r"\b(claqua|clariq|inscit|lexical)\b")
SMALL = (
    "data.train_queries=40 data.evaluation_queries=4 bootstrap.examples=60 bootstrap.top_k=3 prompt.top_k=3 "
    "prompt.passage_tokens=80 training.epochs=1 training.learning_rate=0.003 preference.epochs=1 "
    "pairs.grounded_samples=2 pairs.ungrounded_samples=3 pairs.max_shares={} "
    "data.supported_only=false evaluation.max_new_tokens=16 "
    "evaluation.bootstrap_samples=100 evaluation.nli=none"
)
LINKED = (
    "tutorial-paper.md",
    "generation.md",
    "integrations.md",
    "README.md",
)  # where the run of the quickstart is there
PASSAGES = """
from rac.records import Passage
passages = [Passage(id="1", title="Mercury", types=("planet",), text="The first planet."),
            Passage(id="2", title="Mercury", types=("metal",), text="A liquid metal.")]
"""
BEFORE = {
    "generation.md": PASSAGES,
    "entailment.md": PASSAGES + "passage, claim = passages[0], 'Mercury is a planet'",
    "integrations.md": """
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
class Retriever(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager):
        return [Document(page_content=text, metadata={"id": kind, "title": "Mercury", "types": [kind]})
                for kind, text in (("planet", "The first planet."), ("metal", "A liquid metal."))]
retriever = Retriever()
""",
}

REPLACED = {"integrations.md": ('Asker.open("runs/quickstart")', 'Asker.open("embedded")')}
"""A model of random weights never asks; the embedded one does, with the template behind it."""


@dataclass(frozen=True)
class Block:
    """One fenced block; ``reason`` says why it is not run."""

    line: int
    language: str
    text: str
    reason: str = ""


def blocks(page: str) -> Iterator[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        before = NOT_RUN.search(text[: match.start()])
        yield Block(text.count("\n", 0, match.start()) + 1, match[2], match[3], before[1] if before else "")


def shell(text: str, language: str, model: Path) -> str:
    """Return the block as a script: prompts removed, tiny settings added to what trains."""
    lines = text.splitlines()
    if language == "console" and any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    small = " ".join(f"--set {item}" for item in [*SMALL.split(), f"model.base={model}"])
    script = []
    for line in lines:
        command = re.split(r"\s+#", line)[0].rstrip()
        if re.match(r"rac (quickstart|train)\b", command):
            command += f" {small}"
        elif command.startswith("rac doctor"):
            command += " || [ $? = 1 ]"
        script.append(command)
    return "\n".join(script)


def environment(folder: Path, mirror: str) -> dict[str, str]:
    places = {"RAC_CACHE": str(folder / "cache"), "XDG_DATA_HOME": str(folder / "share"), "RAC_MIRROR": mirror}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **{k: v for k, v in places.items() if v}, "PATH": path, "HF_HUB_OFFLINE": "1"}


def run(command: list[str], folder: Path, mirror: str, where: str) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=900, stdin=subprocess.DEVNULL,
        env=environment(folder, mirror),
    )  # fmt: skip
    assert done.returncode == 0, f"{where} ended with status {done.returncode}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def mirror() -> str:
    for candidate in (os.environ.get("RAC_MIRROR"), ROOT.parent / "shared" / "data"):
        if candidate and (Path(candidate) / "MANIFEST.tsv").exists():
            return str(candidate)
    return ""


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory, tiny_model_dir: Path) -> Path:
    """A finished run of the quickstart's recipe, made tiny."""
    folder = tmp_path_factory.mktemp("quickstart")
    run(["bash", "-ec", shell("rac quickstart", "sh", tiny_model_dir)], folder, "", "rac quickstart")
    return folder / "runs" / "quickstart"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a reader of the pages has: documents, and the recipes of the source tree."""
    shutil.copytree(ROOT / "docs", tmp_path / "my-documents")
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for name, text in (
        ("documents", "# Jaguar\n\n## Animal\n\nA cat.\n\n## Car\n\nA car.\n"),
        ("more", "# Puma\n\nA cat.\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.md").write_text(text, encoding="utf-8")
    (tmp_path / "dev_bm25").write_text('101 0 "Which one?" 0 5.0 bm25\n', encoding="utf-8")
    (tmp_path / "questions.csv").write_text(
        "question_text,clarifying_question,intents,evidence_1,evidence_2,title_1,title_2,topic\n"
        "mercury,The planet or the metal?,planet|metal,The first planet.,A metal.,Mercury,Mercury,t1\n",
        encoding="utf-8",
    )
    return tmp_path


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.language in ("sh", "console", "python") for b in blocks(p))]
)
def test_the_snippets_of_a_page_run(
    page: str, folder: Path, mirror: str, tiny_model_dir: Path, request: pytest.FixtureRequest
) -> None:
    name = Path(page).name
    if name in LINKED:
        shutil.copytree(request.getfixturevalue("quickstart"), folder / "runs" / "quickstart")
    for block in blocks(page):
        where = f"{page}:{block.line}"
        if block.language == "yaml" and (first := re.match(r"# ([\w-]+\.yaml)\b", block.text)):
            (folder / first[1]).write_text(block.text, encoding="utf-8")
        if block.language not in ("sh", "console", "python") or re.match(r"# (src|tests)/", block.text):
            continue  # files of worked examples are run by test_contributing.py
        reason = block.reason or ("" if mirror or not BENCHMARK.search(block.text) else "benchmark files are not here")
        if reason:
            print(f"not run: {where}: {reason}")
        elif block.language == "python":
            script = f"{BEFORE.get(name, '')}\n{block.text.replace(*REPLACED.get(name, ('', '')))}"
            run([sys.executable, "-c", script], folder, mirror, where)
        else:
            run(["bash", "-ec", shell(block.text, block.language, tiny_model_dir)], folder, mirror, where)


def parse(arguments: list[str]) -> None:
    """Parse a command line as rac does, without running it."""
    import typer.main

    command: Any = typer.main.get_command(app)
    name = "rac"
    while True:
        context = command.make_context(name, list(arguments))
        if not hasattr(command, "resolve_command"):
            return
        name, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])


def test_a_command_line_that_rac_does_not_know_is_seen() -> None:
    register_commands()
    for wrong in (["nonsense"], ["ask", "--nonsense"], ["annotate", "nonsense"], ["search"]):
        with pytest.raises(Exception, match=r"No such|Missing"):
            parse(wrong)


@pytest.mark.parametrize("page", PAGES)
def test_command_lines_that_are_not_run_are_such_as_rac_knows(page: str) -> None:
    register_commands()
    for block in blocks(page):
        lines = block.text.replace("\\\n", " ").splitlines() if block.language in ("sh", "console") else []
        for line in lines:
            line = line.removeprefix("$ ")
            if line.startswith("rac ") and block.reason:
                parse(shlex.split(re.split(r" [>|<]", line)[0], comments=True)[1:])


@pytest.mark.parametrize("page", PAGES)
def test_no_bare_fence_hides_a_command(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    generated = [m.span() for m in re.finditer(r"<!-- (bench/\S+) -->.*?<!-- /\1 -->", text, re.DOTALL)]
    for block in blocks(page):
        position = len("\n".join(text.split("\n")[: block.line]))
        if block.language == "" and not any(start < position < end for start, end in generated):
            assert not COMMAND.search(block.text), f"{page}:{block.line} is a command; label it sh, or text"
