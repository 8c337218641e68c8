"""Stage ``unlabelled``: training queries that no other part of a run has, without their gold questions.

Further rounds of stage 2 need no labels: C_q+ is the model's own best supported sample. So any query will do that users
might type over the corpus, and a model that has learnt all that its labelled queries teach can go on with others.
"""

from __future__ import annotations

from typing import Any

from rac.errors import UserError
from rac.files import write_json, write_records
from rac.pipeline.data import SPLITS, UNLABELLED, load_examples, load_retrieved
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.pipeline.sources import read_examples, source_fingerprint
from rac.pipeline.splitting import held_out_of, limited, without_clusters_of
from rac.records import ClarificationExample, Passage

SMALL_D = 2
"""Passages of an unlabelled query's D where a labelled one's would be the gold passages alone."""


def unlabelled_stage(run: RunDirectory) -> dict[str, Any]:
    """Write the queries to ``examples/unlabelled.jsonl`` and what is retrieved for them beside it.

    They are the source's training queries, with a gold question or without, whose cluster is in none of the run's parts
    and not held out; ``data.unlabelled_queries`` of them at most, drawn by seed. Everything but the query is dropped.
    """
    recipe = run.recipe
    names = [f"examples/{UNLABELLED}.jsonl", f"retrieved-{UNLABELLED}.json", f"passages-{UNLABELLED}.jsonl"]

    def work() -> Stage:
        from rac.retrieval import open_index

        index = open_index(run / "index")
        by_split, _ = read_examples(recipe, index)
        _, held_out = held_out_of(by_split, recipe)
        used = [e for name in SPLITS for e in load_examples(run, name)]
        # Also of what the source holds out and this run does not ask (data.held_out: training).
        others = [e for name, part in by_split.items() if name != "train" for e in part]
        pool = without_clusters_of(by_split.get("train", []), [*used, *held_out, *others])
        if len(pool) < recipe.preference.unlabelled_rounds:
            raise UserError(
                f"preference.unlabelled_rounds: {recipe.preference.unlabelled_rounds} rounds need as many further "
                f"queries, and the source '{recipe.data.source}' has {len(pool)} training queries that no other part "
                "uses: add queries without a question to it, or lower data.train_queries"
            )
        queries = [
            ClarificationExample(id=e.id, query=e.query, group=e.group, split=UNLABELLED)
            for e in limited(pool, recipe.data.unlabelled_queries, recipe.seed, UNLABELLED)
        ]
        hits = index.search_batch([e.query for e in queries], recipe.prompt.top_k)
        passages = {hit.passage.id: hit.passage for own in hits for hit in own}
        write_records(run / names[0], queries)
        write_json(run / names[1], {e.id: [h.passage.id for h in own] for e, own in zip(queries, hits, strict=True)})
        write_records(run / names[2], passages.values())
        return Stage(names, {"queries": len(queries), "without any hit": sum(not own for own in hits)})

    inputs = {
        "upstream": run.output_hash("index", "data"),
        "recipe": recipe.digest("data", "bootstrap", "seed"),
        "source": source_fingerprint(recipe),
        "queries": recipe.data.unlabelled_queries,
        "rounds": recipe.preference.unlabelled_rounds,
        "top_k": recipe.prompt.top_k,
    }
    return run.run(UNLABELLED, inputs, work, label="taking further queries, without their questions")


def load_unlabelled(run: RunDirectory) -> dict[str, list[Passage]]:
    """Read what was retrieved for the unlabelled queries: example id -> passages, best first."""
    return load_retrieved(run, f"-{UNLABELLED}")
