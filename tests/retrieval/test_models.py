"""Learned sparse retrieval and reranking, on tiny models with random weights: the machinery, not the quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rac.errors import UserError
from rac.records import Passage
from rac.retrieval import IndexSettings, build_index, open_index

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny masked language model, bi-encoder and two cross-encoders over 26 letters."""
    import torch
    import transformers as t

    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    from tokenizers import BertWordPieceTokenizer

    words = BertWordPieceTokenizer(vocab={token: number for number, token in enumerate(vocabulary)})
    tokenizer = t.PreTrainedTokenizerFast(
        tokenizer_object=words._tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=64,
    )  # fmt: skip
    size: dict[str, Any] = {
        "vocab_size": len(vocabulary), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 64, "initializer_range": 0.5,
    }  # fmt: skip
    torch.manual_seed(0)
    made = {
        "splade": t.BertForMaskedLM(t.BertConfig(**size)),
        "other": t.BertForMaskedLM(t.BertConfig(**size)),
        "ranker": t.BertForSequenceClassification(t.BertConfig(**size, num_labels=1)),
        "classes": t.BertForSequenceClassification(t.BertConfig(**size, num_labels=3)),
    }
    for name, model in made.items():
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


def test_learned_sparse_scores_are_products_of_the_models_weights(
    tiny: Path, passages: list[Passage], tmp_path: Path
) -> None:
    from rac.retrieval.encoders import sparse_encoder
    from rac.retrieval.entries import full_text

    chosen = IndexSettings(strategy="sparse", sparse_model=str(tiny / "splade"))
    build_index(passages, chosen, tmp_path / "i")
    hits = open_index(tmp_path / "i", verify=True).search_batch(["rabat", "", "jazz"], 5)
    assert hits[1] == [] and len(hits[0]) == 5
    model = sparse_encoder(str(tiny / "splade"))
    documents = model.encode_document([full_text(p) for p in passages], convert_to_sparse_tensor=False).numpy()
    for query, found in (("rabat", hits[0]), ("jazz", hits[2])):
        weights = model.encode_query([query], convert_to_sparse_tensor=False).numpy()[0]
        expected = documents @ weights
        order = np.argsort(-expected, kind="stable")
        assert [hit.passage.id for hit in found] == [passages[int(i)].id for i in order]
        assert [hit.score for hit in found] == pytest.approx(expected[order].tolist(), rel=1e-4)


def test_learned_sparse_updates_carry_weights_over(tiny: Path, passages: list[Passage], tmp_path: Path) -> None:
    model = str(tiny / "splade")
    chosen = IndexSettings(strategy="hybrid", parts=("bm25", "sparse"), sparse_model=model, fields="facets")
    index = build_index(passages[:4], chosen, tmp_path / "i")
    index.add(passages[4:])
    index.delete(["film"])
    anew = build_index(passages[1:], chosen, tmp_path / "new")
    for first, second in zip(index.search_batch(["rabat", "c"], 5), anew.search_batch(["rabat", "c"], 5), strict=True):
        assert [hit.passage.id for hit in first] == [hit.passage.id for hit in second]
        assert [hit.score for hit in first] == pytest.approx([hit.score for hit in second])


def test_another_sparse_model_is_refused(tiny: Path, passages: list[Passage], tmp_path: Path) -> None:
    import shutil

    from rac.retrieval.encoders import sparse_encoder

    shutil.copytree(tiny / "splade", tmp_path / "model")
    build_index(passages, IndexSettings(strategy="sparse", sparse_model=str(tmp_path / "model")), tmp_path / "i")
    shutil.rmtree(tmp_path / "model")
    shutil.copytree(tiny / "other", tmp_path / "model")
    sparse_encoder.cache_clear()
    with pytest.raises(UserError, match="gives other vectors"):
        open_index(tmp_path / "i").search_batch(["x"], 1)
    with pytest.raises(UserError, match="gives other vectors"):
        open_index(tmp_path / "i").delete([passages[0].id])


@pytest.mark.parametrize("fields", ["title+text", "facets"])
def test_a_cross_encoder_reorders_what_was_found(
    fields: str, tiny: Path, passages: list[Passage], tmp_path: Path
) -> None:
    from rac.retrieval.encoders import cross_encoder
    from rac.retrieval.entries import full_text

    build_index(passages, IndexSettings.model_validate({"fields": fields}), tmp_path / "i")
    plain = open_index(tmp_path / "i").search_batch(["Casablanca", "zzz"], 4)
    ranked = open_index(tmp_path / "i", reranker=str(tiny / "ranker")).search_batch(["Casablanca", "zzz"], 4)
    assert ranked[1] == []
    model = cross_encoder(str(tiny / "ranker"))
    scores = {hit.passage.id: float(model.predict([("Casablanca", full_text(hit.passage))])[0]) for hit in plain[0]}
    assert [hit.passage.id for hit in ranked[0]] == sorted(scores, key=lambda key: -scores[key])
    for hit in ranked[0]:
        assert hit.score == pytest.approx(scores[hit.passage.id], abs=1e-5)
        assert hit.parts["rerank"].rank == hit.rank and "bm25" in hit.parts


def test_reranking_reads_deeper_than_it_returns(tiny: Path, tmp_path: Path) -> None:
    corpus = [Passage(id=str(n), text="word " + "abcdefghij"[n]) for n in range(10)]
    build_index(corpus, IndexSettings(), tmp_path / "i")
    deep = open_index(tmp_path / "i", reranker=str(tiny / "ranker"), rerank_depth=10).search_batch(["word"], 10)[0]
    best = open_index(tmp_path / "i", reranker=str(tiny / "ranker"), rerank_depth=10).search_batch(["word"], 2)[0]
    assert [hit.passage.id for hit in best] == [hit.passage.id for hit in deep[:2]]


def test_a_model_with_several_classes_is_no_reranker(tiny: Path, passages: list[Passage], tmp_path: Path) -> None:
    build_index(passages, IndexSettings(), tmp_path / "i")
    with pytest.raises(UserError, match="gives 3 numbers per pair"):
        open_index(tmp_path / "i", reranker=str(tiny / "classes")).search_batch(["Casablanca"], 1)
