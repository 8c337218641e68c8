"""``rac bootstrap``: clarification data from a corpus without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rac.cli import app

if TYPE_CHECKING:
    from rac.corpus.bootstrap import Bootstrap, BootstrapResult, Reword
    from rac.records import Passage


@app.command(epilog="Example: rac bootstrap my-documents/ -o data/ --examples 2000")
def bootstrap(
    corpus: Annotated[str, typer.Argument(help="A corpus: file, folder, or 'wikipedia' (the embedded summaries).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the data; made or replaced whole.")],
    examples: Annotated[int, typer.Option(help="Examples wanted, of all splits together.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of all choices; same seed, same data.")] = 0,
    index: Annotated[Path | None, typer.Option(help="An index of the corpus; by default BM25 is built.")] = None,
    top_k: Annotated[int, typer.Option(help="Passages retrieved for a query.", min=2, max=20)] = 4,
    questions: Annotated[int, typer.Option(help="Gold questions per query.", min=1, max=12)] = 3,
    faults: Annotated[int, typer.Option(help="Negatives with one known fault per query.", min=0, max=5)] = 1,
    check: Annotated[
        bool, typer.Option(help="Let the selection scorer refuse questions that it cannot verify.")
    ] = True,
    reword_url: Annotated[
        str, typer.Option(help="OpenAI-compatible server that says the questions in other words, http://HOST/v1.")
    ] = "",
    reword_model: Annotated[str, typer.Option(help="The model's name on that server.")] = "",
) -> None:
    """Make clarification data from a corpus without labels, with a data card.

    Example: rac bootstrap my-documents/ -o my-data --examples 2000
    """
    from rac.corpus import is_index, read_corpus
    from rac.corpus.bootstrap import Bootstrap
    from rac.corpus.bootstrap import bootstrap as make
    from rac.errors import UserError
    from rac.files import atomic_path
    from rac.metrics.selection import SelectionScorer
    from rac.retrieval import IndexSettings, open_index
    from rac.retrieval.local import LocalIndex
    from rac.retrieval.refresh import index_corpus, open_passages

    if output.exists() and (
        not output.is_dir() or (any(output.iterdir()) and not (output / "bootstrap.json").exists())
    ):
        raise UserError(
            f"{output} exists and was not written by rac bootstrap, so it is not replaced; give another folder with -o"
        )
    if bool(reword_url) != bool(reword_model):
        raise UserError("rewording needs both a server and a model; give --reword-url and --reword-model, or neither")
    reword = server_rewording(reword_url, reword_model) if reword_url else None
    settings = Bootstrap(examples=examples, top_k=top_k, questions_per_example=questions, faults_per_example=faults)
    with atomic_path(output) as temporary:
        temporary.mkdir()
        if index is None and is_index(corpus):
            index = Path(corpus)
        searcher = open_index(index) if index else index_corpus(corpus, IndexSettings(), temporary / "index").index
        checked = SelectionScorer(min_options=2).problem if check else None
        # The corpus is streamed twice instead of kept in memory; the second time from the index, which has it all.
        passages = open_passages(searcher) if isinstance(searcher, LocalIndex) else read_corpus(corpus)
        result = make(passages, searcher, settings, seed, check=checked, reword=reword)
        _write(temporary, result, settings, seed, {"source": corpus, "index": str(index or "index")})
    for name in ("train", "validation", "test"):
        typer.echo(f"{result.counts.get(f'examples: {name}', 0):>7} queries  {output / name}.jsonl")
    typer.echo(f"data card: {output / 'README.md'}")
    if len(result.examples) < examples:
        typer.echo(f"note: {examples} examples were wanted, the corpus gave {len(result.examples)}; see the data card")
    typer.echo(f"Next: rac train quickstart --set data.source={output} --set data.corpus={corpus}")


REWORD_PROMPT = (
    "Say the clarifying question in other words, as a search assistant would. Keep every option, name, number and "
    "description exactly as it is written; change only the words around them. Answer with the question alone."
)


def server_rewording(url: str, model: str) -> Reword:
    """Return a rewording by an OpenAI-compatible server; a request that fails for good gives no rewording."""
    from pydantic import ValidationError

    from rac.errors import UserError
    from rac.generation.openai import OpenAIGenerator
    from rac.generation.openai_settings import OpenAIServer

    try:
        generator = OpenAIGenerator(OpenAIServer(url=url, model=model), max_new_tokens=128)
    except ValidationError as error:
        raise UserError(f"--reword-url {url}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error

    def reword(items: Sequence[tuple[str, str, Sequence[Passage]]]) -> list[str]:
        prompts = [
            [
                {"role": "system", "content": REWORD_PROMPT},
                {"role": "user", "content": f"Query: {query}\nQuestion: {question}"},
            ]
            for question, query, _ in items
        ]
        texts = [""] * len(items)
        for index, answer in generator.ask(prompts, label="rewording", temperature=0.7):
            if isinstance(answer, list):
                texts[index] = answer[0].text
        return texts

    return reword


def _write(folder: Path, result: BootstrapResult, settings: Bootstrap, seed: int, origin: dict[str, str]) -> None:
    from rac import __version__
    from rac.corpus.bootstrap.card import data_card
    from rac.files import write_json, write_records, write_text
    from rac.records import SCHEMA_VERSION

    for name in ("train", "validation", "test"):
        write_records(folder / f"{name}.jsonl", [e for e in result.examples if e.split == name])
    if result.pairs:
        write_records(folder / "faults" / "pairs.jsonl", result.pairs)
    write_text(folder / "README.md", data_card(result, settings, seed, origin["source"]))
    write_json(
        folder / "bootstrap.json",
        {
            "schema": SCHEMA_VERSION,
            "version": __version__,
            "seed": seed,
            "settings": settings.model_dump(mode="json"),
            "corpus": {**origin, "passages": result.counts["passages"]},
            "counts": result.counts,
            "leakage": result.leakage,
        },
    )
