"""Perplexity of questions under the embedded language model: a nuisance metric that validation has to beat.

    perplexity(C) = exp(-mean_t log p(c_t | c_<t)), the first token given the start of text

Cost: one forward pass per different text (about 15 questions/s on two cores); known ones are kept on disk, so that a
run that was stopped goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from rac.metrics.entailment_cache import EntailmentCache, cache_key
from rac.progress import Progress


def perplexities(
    texts: Sequence[str], *, model: str = "embedded", batch_tokens: int = 1024, cache: Path | str | None = None
) -> list[float]:
    """Return the perplexity of each text (infinite for an empty one); equal texts are computed once.

    Args:
        texts: The texts.
        model: Model name or folder.
        batch_tokens: Tokens of a batch, padding included.
        cache: SQLite file of known perplexities; None for no cache.
    """
    unique = sorted({t for t in texts if t.strip()}, key=lambda t: (len(t), t))
    stored = EntailmentCache(cache) if cache is not None else None
    try:
        keys = {t: cache_key("perplexity", model, t, "") for t in unique}
        known = stored.get(list(keys.values())) if stored is not None else {}
        found = {t: known[k][0] for t, k in keys.items() if k in known}
        wanted = [t for t in unique if t not in found]
        for batch in _computed(wanted, model, batch_tokens):
            found |= batch
            if stored is not None:
                stored.put((keys[t], value, None) for t, value in batch.items())
    finally:
        if stored is not None:
            stored.close()
    return [found.get(t, math.inf) for t in texts]


def _computed(texts: Sequence[str], model: str, batch_tokens: int) -> Iterator[dict[str, float]]:
    """Yield the perplexities of texts, batch by batch."""
    if not texts:
        return
    import torch

    from rac.models import load_model

    network, tokenizer = load_model(model)
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    rows = [[start, *tokenizer(t, add_special_tokens=False)["input_ids"]] for t in texts]
    with Progress("perplexity", len(texts), unit="questions") as progress, torch.inference_mode():
        at = 0
        while at < len(rows):
            size = 1
            while at + size < len(rows) and len(rows[at + size]) * (size + 1) <= batch_tokens:
                size += 1
            batch = rows[at : at + size]
            width = max(len(r) for r in batch)
            ids = torch.tensor([r + [start] * (width - len(r)) for r in batch])
            mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in batch])
            logits = network(input_ids=ids, attention_mask=mask).logits[:, :-1]
            logps = torch.log_softmax(logits.float(), dim=-1).gather(2, ids[:, 1:, None]).squeeze(2)
            yield {
                text: math.exp(-float(values[: len(row) - 1].mean()))
                for text, row, values in zip(texts[at : at + size], batch, logps, strict=True)
            }
            at += size
            progress.advance(size)
