"""Perplexity of questions under the embedded language model: a nuisance metric that validation has to beat.

    perplexity(C) = exp(-mean_t log p(c_t | c_<t)), the first token given the start of text

Cost: one forward pass per different text (about 15 questions/s on two cores).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rac.progress import Progress


def perplexities(texts: Sequence[str], *, model: str = "embedded", batch_tokens: int = 1024) -> list[float]:
    """Return the perplexity of each text (infinite for an empty one); equal texts are computed once.

    Args:
        texts: The texts.
        model: Model name or folder.
        batch_tokens: Tokens of a batch, padding included.
    """
    import torch

    from rac.models import load_model

    unique = sorted({t for t in texts if t.strip()}, key=lambda t: (len(t), t))
    found: dict[str, float] = {}
    if unique:
        network, tokenizer = load_model(model)
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        rows = [[start, *tokenizer(t, add_special_tokens=False)["input_ids"]] for t in unique]
        with Progress("perplexity", len(unique), unit="questions") as progress, torch.inference_mode():
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
                for text, row, values in zip(unique[at : at + size], batch, logps, strict=True):
                    found[text] = math.exp(-float(values[: len(row) - 1].mean()))
                at += size
                progress.advance(size)
    return [found.get(t, math.inf) for t in texts]
