"""Train a small cross-encoder for the comparison of indexes, since the project ships none.

    python bench/reranker.py --output indexes/reranker        about 5 minutes on one core

The embedded all-MiniLM-L6-v2 gets one output and learns, on CLAQUA training queries, to tell the two entities that a
query may mean from others that BM25 ranks high for it. It is no general reranker: it shows what one costs, and what one
trained on a user's own kind of query can gain. ``bench/indexes.yaml`` compares it.
"""

from __future__ import annotations

import argparse
import logging
import random
import tempfile
from pathlib import Path
from typing import Any

import torch

from rac.benchmarks import load
from rac.progress import track
from rac.retrieval import IndexSettings, build_index
from rac.retrieval.encoders import embedded_encoder_path
from rac.retrieval.entries import full_text

Pair = tuple[str, str, float]
"""Query, passage, 1 if the passage is one of those meant."""


def training_pairs(mirror: Path | None, queries: int, negatives: int, seed: int) -> list[Pair]:
    """Return the entities of evenly spaced training queries, and as many others from the top 20 of BM25."""
    corpus = load("claqua", "all", mirror=mirror).corpus
    texts = {passage.id: full_text(passage) for passage in corpus}
    examples = load("claqua", "train", mirror=mirror).examples
    examples = [examples[int(n * len(examples) / queries)] for n in range(min(queries, len(examples)))]
    rng = random.Random(seed)
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory() as folder:
        index = build_index(corpus, IndexSettings(fields="facets+text"), Path(folder) / "index")
        for example, hits in zip(examples, index.search_batch([e.query for e in examples], 20), strict=True):
            others = [hit.passage.id for hit in hits if hit.passage.id not in example.gold_ids]
            wrong = rng.sample(others, min(negatives, len(others)))
            pairs += [(example.query, texts[identity], 1.0) for identity in example.gold_ids]
            pairs += [(example.query, texts[identity], 0.0) for identity in wrong]
    rng.shuffle(pairs)
    return pairs


def train(pairs: list[Pair], batch: int, rate: float, max_tokens: int, seed: int) -> Any:
    """Return the cross-encoder after one pass over the pairs, with a linearly falling learning rate."""
    from sentence_transformers import CrossEncoder

    torch.manual_seed(seed)
    encoder = CrossEncoder(str(embedded_encoder_path()), num_labels=1, max_length=max_tokens)
    model, tokenizer = encoder.model, encoder.tokenizer
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    batches = [pairs[start : start + batch] for start in range(0, len(pairs), batch)]
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, len(batches))
    loss_of = torch.nn.BCEWithLogitsLoss()
    recent: list[float] = []
    for number, some in enumerate(track(batches, "training", unit="batches"), start=1):
        queries, passages, labels = zip(*some, strict=True)
        inputs = tokenizer(
            list(queries), list(passages), truncation="only_second", max_length=max_tokens, padding=True,
            return_tensors="pt",
        )  # fmt: skip
        loss = loss_of(model(**inputs).logits.squeeze(-1), torch.tensor(labels))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        falling.step()
        recent.append(float(loss.detach()))
        if number % 25 == 0:
            logging.info("loss %.3f over the last 25 batches", sum(recent[-25:]) / 25)
    model.eval()
    return encoder


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("indexes/reranker"))
    parser.add_argument("--mirror", type=Path, help="folder with benchmark files, as RAC_MIRROR")
    parser.add_argument("--queries", type=int, default=800)
    parser.add_argument("--negatives", type=int, default=2, help="per query")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.threads:
        torch.set_num_threads(options.threads)
    pairs = training_pairs(options.mirror, options.queries, options.negatives, options.seed)
    logging.info("%d pairs, %.0f %% of them right", len(pairs), 100 * sum(pair[2] for pair in pairs) / len(pairs))
    encoder = train(pairs, options.batch, options.rate, options.max_tokens, options.seed)
    encoder.save_pretrained(str(options.output))
    logging.info("saved to %s", options.output)


if __name__ == "__main__":
    main()
