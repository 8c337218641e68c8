from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entailment_support import small_encoder, word_tokenizer
from rac.errors import UserError
from rac.metrics import entailment
from rac.metrics import entailment_models as models
from rac.metrics.entailment import EntailmentScorer
from rac.metrics.entailment_models import PROBES, OnnxModel, TorchModel, probe_problem
from rac.metrics.entailment_packing import Row, cut, pack_rows, pair_rows, row_arrays

RELATIONS = np.array([relation for relation, _, _ in PROBES])

# ---- packing

ids = st.lists(st.integers(4, 9), min_size=1, max_size=5)


@given(st.lists(st.tuples(ids, ids), min_size=1, max_size=25), st.integers(1, 30))
@settings(deadline=None, max_examples=100)
def test_rows_hold_every_pair_once_with_its_own_premise(pairs: list[tuple[list[int], list[int]]], limit: int) -> None:
    rows = pack_rows([p for p, _ in pairs], [c for _, c in pairs], limit)
    assert sorted(i for row in rows for i in row.members) == list(range(len(pairs)))
    for row in rows:
        assert [(row.premise, claim) for claim in row.claims] == [pairs[i] for i in row.members]
        assert len(row.claims) == 1 or row.tokens <= limit


def test_arrays_of_two_rows_are_exactly_these() -> None:
    rows = [Row([2, 5, 3], [[2, 6, 3], [2, 3]], [0, 2]), Row([2, 3], [[2, 7, 3]], [1])]
    arrays = row_arrays(rows)
    assert arrays["input_ids"].tolist() == [[2, 5, 3, 2, 6, 3, 2, 3], [2, 3, 2, 7, 3, 0, 0, 0]]
    assert arrays["position_ids"].tolist() == [[0, 1, 2, 3, 4, 5, 3, 4], [0, 1, 2, 3, 4, 0, 0, 0]]
    assert arrays["segments"].tolist() == [[0, 0, 0, 1, 1, 1, 2, 2], [0, 0, 1, 1, 1, -1, -1, -1]]
    assert arrays["claim_index"].tolist() == [[3, 4, 5], [6, 7, 0], [10, 11, 12]]
    assert arrays["claim_mask"].tolist() == [[1, 1, 1], [1, 1, 0], [1, 1, 1]]
    assert row_arrays(rows, multiple=16)["input_ids"].shape == (2, 16)


def test_a_cut_text_still_ends_as_texts_end() -> None:
    assert cut([2, 5, 6, 7, 3], 4) == [2, 5, 6, 3]
    assert cut([2, 5, 3], 4) == [2, 5, 3]


def test_cut_texts_are_counted_once_each() -> None:
    rows, shortened = pair_rows(word_tokenizer(["a", "b"]), [("a b a b", "a"), ("a b a b", "b"), ("a", "a")], 4, 8, 64)
    assert shortened == 1
    assert rows[0].premise == [2, 4, 5, 3] and len(rows) == 2


# ---- the packed encoder against its plain twin


def _random_pairs(count: int) -> tuple[list[list[int]], list[list[int]]]:
    rng = np.random.default_rng(0)
    some = [[2, *rng.integers(4, 60, size=n).tolist(), 3] for n in (0, 1, 7, 20)]
    premises = [some[i % len(some)] for i in range(count)]
    claims = [[2, *rng.integers(4, 60, size=int(rng.integers(0, 9))).tolist(), 3] for _ in range(count)]
    return premises, claims


def _logits(model: Any, rows: list[Row]) -> np.ndarray:
    import torch

    with torch.inference_mode():
        return model(**{k: torch.from_numpy(v) for k, v in row_arrays(rows).items()}).numpy()


def test_a_claim_scores_the_same_alone_and_among_others() -> None:
    model = small_encoder()
    premises, claims = _random_pairs(23)
    packed = pack_rows(premises, claims, 60)
    assert len(packed) < 23
    together = np.empty((23, 2), np.float32)
    together[[i for row in packed for i in row.members]] = _logits(model, packed)
    alone = np.concatenate([_logits(model, pack_rows([p], [c], 60)) for p, c in zip(premises, claims, strict=True)])
    np.testing.assert_allclose(together, alone, atol=2e-6)


def test_the_encoder_is_bert_on_a_premise(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import BertConfig, BertModel

    from rac.metrics.entailment_training.model import ClaimEncoder, Shape, base_weights

    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=60, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        max_position_embeddings=128,
    )  # fmt: skip
    theirs = BertModel(config, add_pooling_layer=False).eval()
    ours = ClaimEncoder(Shape(60, 128, 64, 128, 2, 4))
    problem = ours.load_state_dict(base_weights(dict(theirs.state_dict()), 2), strict=False)
    assert all(name.startswith(("dense", "out")) for name in problem.missing_keys)
    tokens = torch.tensor([[2, 9, 8, 7, 3]])
    states = ours.norm(ours.words(tokens) + ours.places(torch.arange(5))[None] + ours.sides(torch.zeros_like(tokens)))
    for layer in ours.layers:
        states = layer(states, torch.ones(1, 1, 5, 5, dtype=torch.bool))
    torch.testing.assert_close(states, theirs(input_ids=tokens).last_hidden_state, atol=2e-5, rtol=1e-4)


@pytest.mark.extra
@pytest.mark.parametrize(("quantised", "tolerance"), [(False, 1e-5), (True, 0.15)])
def test_the_exported_model_equals_the_encoder(tmp_path: Path, quantised: bool, tolerance: float) -> None:
    pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    from rac.metrics.entailment_training.export import activations, export_onnx
    from rac.metrics.entailment_training.train import tensors

    model = small_encoder(seed=3)
    rows = pack_rows(*_random_pairs(17), 60)
    export_onnx(model, tmp_path / "model.onnx", activations(model, [tensors(rows)]) if quantised else None)
    session = ort.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, row_arrays(rows))
    np.testing.assert_allclose(logits, _logits(model, rows), atol=tolerance)
    alone = np.concatenate([session.run(None, row_arrays([row]))[0] for row in rows])
    np.testing.assert_allclose(logits, alone, atol=2e-6)  # no score depends on its batch, quantised or not


def test_columns_restore_weights_within_half_a_step_and_stay_within_seven_bits() -> None:
    from rac.metrics.entailment_training.export import quantise_columns

    weight = np.random.default_rng(0).normal(size=(5, 128)).astype(np.float32)
    weight[0] = 0.0
    packed, scales = quantise_columns(weight)
    assert packed.shape == (128, 5) and packed.dtype == np.int8 and np.abs(packed).max() <= 63
    step = np.abs(weight).max(axis=1, keepdims=True) / 63
    assert (np.abs(packed.T * scales[:, None] - weight) <= step / 2 + 1e-7).all()


@given(st.integers(0, 50), st.floats(0.01, 100.0))
@settings(deadline=None, max_examples=40)
def test_a_quantised_input_comes_back_within_half_a_step(seed: int, spread: float) -> None:
    from rac.metrics.entailment_training.export import Activation, input_scale

    rng = np.random.default_rng(seed)
    values = rng.normal(size=(40, 8)) * np.geomspace(1.0, spread, 8)
    chosen = input_scale(Activation(values.min(0), values.max(0)), [rng.normal(size=(3, 8))])
    evened = values / chosen.factors
    quantised = np.rint(evened / chosen.scale) + chosen.zero
    assert quantised.min() >= -1e-6 and quantised.max() <= 256
    restored = (np.clip(quantised, 0, 255) - chosen.zero) * chosen.scale
    assert np.abs(restored - evened).max() <= chosen.scale * 1.01


# ---- label order and probe pairs


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["contradiction", "entailment", "neutral"], (1, 0)),
        (["ENTAILMENT", "NEUTRAL", "CONTRADICTION"], (0, 2)),
        (["not_entailment", "entailment"], (1, None)),
        (["entailment", "non-entailment"], (0, None)),
        (["SUPPORTS", "REFUTES", "NOT ENOUGH INFO"], (0, 1)),
        (["hallucinated", "consistent"], (1, None)),
        (["inconsistent", "consistent"], (1, None)),
        (["unsupported", "supported"], (1, None)),
        (["LABEL_0", "LABEL_1"], (None, None)),
        (["score"], (0, None)),
    ],
)
def test_label_order_is_read_from_the_names(names: list[str], order: tuple[int | None, int | None]) -> None:
    assert models._label_order(names) == order


def _ideal(order: dict[str, int], outputs: int) -> np.ndarray:
    """Outputs of a good model whose classes lie at the given places."""
    probs = np.full((len(PROBES), outputs), 0.05)
    for row, relation in enumerate(RELATIONS):
        probs[row, order.get(relation, order["other"])] = 0.9
    return probs


def _model_with_outputs(probs: np.ndarray, names: list[str]) -> TorchModel:
    model = object.__new__(TorchModel)
    model._probe_outputs = lambda: probs  # type: ignore[method-assign]
    model._entail, model._contradict = models._label_order(names)  # type: ignore[assignment]
    return model


def test_a_model_with_the_right_order_passes_and_one_with_the_wrong_order_is_refused() -> None:
    names = ["contradiction", "entailment", "neutral"]
    right = _ideal({"entail": 1, "contradict": 0, "other": 2}, 3)
    _model_with_outputs(right, names)._verify("model", names)
    with pytest.raises(UserError, match=r"fails the probe pairs.*labels option"):
        _model_with_outputs(right, names[::-1])._verify("model", names[::-1])
    swapped = ["entailment", "contradiction", "neutral"]
    with pytest.raises(UserError, match="fails the probe pairs"):
        _model_with_outputs(right, swapped)._verify("model", swapped)


def test_contradiction_that_is_highest_for_entailed_pairs_is_refused() -> None:
    probs = _ideal({"entail": 1, "contradict": 0, "other": 2}, 3)
    probs[RELATIONS == "entail", 0], probs[RELATIONS == "contradict", 0] = 0.6, 0.1
    names = ["contradiction", "entailment", "neutral"]
    with pytest.raises(UserError, match="contradiction output is higher"):
        _model_with_outputs(probs, names)._verify("model", names)


def test_outputs_without_names_are_found_by_the_probe_pairs() -> None:
    names = ["LABEL_0", "LABEL_1", "LABEL_2"]
    model = _model_with_outputs(_ideal({"entail": 2, "contradict": 1, "other": 0}, 3), names)
    assert model._order_from_probes("model", names) == (2, 1)
    two = _model_with_outputs(_ideal({"entail": 0, "other": 1}, 2), names[:2])
    assert two._order_from_probes("model", names[:2]) == (0, None)


def test_probe_problems_are_told() -> None:
    good = np.where(RELATIONS == "entail", 0.9, 0.1)
    assert probe_problem(good, RELATIONS) is None
    assert "0% of entailed pairs" in str(probe_problem(1 - good, RELATIONS))
    assert "on average" in str(probe_problem(0.5 + 0.05 * good, RELATIONS))


@pytest.fixture(scope="module")
def random_nli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random three-class BERT that names its labels."""
    torch = pytest.importorskip("torch")
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("nli") / "random-nli"
    config = BertConfig(
        vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64, id2label={0: "contradiction", 1: "entailment", 2: "neutral"},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=word_tokenizer(["a", "b", "dogs", "running"]), unk_token="[UNK]", pad_token="[PAD]",
        cls_token="[CLS]", sep_token="[SEP]",
    ).save_pretrained(folder)  # fmt: skip
    return folder


def test_a_model_that_knows_nothing_fails_the_probe_pairs(random_nli: Path) -> None:
    with pytest.raises(UserError, match=r"fails the probe pairs: .*it is no entailment model"):
        TorchModel(str(random_nli))


def test_labels_must_be_as_many_as_outputs(random_nli: Path) -> None:
    with pytest.raises(UserError, match=r"2 label names were given .* 3 outputs"):
        TorchModel(str(random_nli), labels=["entailment", "other"])


def test_batches_of_a_cross_encoder_equal_single_pairs(random_nli: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TorchModel, "_verify", lambda *_: None)
    model = TorchModel(str(random_nli))
    assert model.has_contradiction and model.name == "random-nli" and len(model.revision) == 12
    rows, shortened = model.rows([("a b a b " * 40, "a"), ("dogs", "running a b"), ("", "a " * 90)])
    assert shortened == 2 and max(row.tokens for row in rows) <= 64
    np.testing.assert_allclose(model.run(rows), np.concatenate([model.run([row]) for row in rows]), atol=1e-6)


# ---- the shipped model


def test_a_folder_without_a_model_says_how_to_make_one(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(UserError, match=r"has no model.onnx.*rac train-entailment"):
        OnnxModel(tmp_path)


@pytest.fixture(scope="module")
def shipped() -> OnnxModel:
    return OnnxModel(threads=1)


def test_the_shipped_model_knows_its_trade(shipped: OnnxModel) -> None:
    ulm = "Ulm Minster (church, building): Ulm Minster is a Lutheran church in Ulm, Germany. It was opened in 1890."
    scorer = EntailmentScorer(shipped)
    true = ["This is about the church in Ulm.", "Ulm Minster is a Lutheran church.", "This is something from 1890."]
    false = ["This is about the church in Oslo.", "Ulm Minster is a Catholic church.", "This is something from 1894."]
    good, bad = scorer.entail_probs([(ulm, c) for c in true]), scorer.entail_probs([(ulm, c) for c in false])
    assert good.min() > 0.8 and bad.max() < 0.2
    assert scorer.embedded and "--nli MODEL" in scorer.note


def test_a_score_of_the_shipped_model_does_not_depend_on_its_batch(shipped: OnnxModel) -> None:
    premises = [f"Luna {i} (ship): Luna {i} was built in {1900 + i} in Kiel." for i in range(6)]
    pairs = [(p, f"This is about the ship built in {1900 + i}.") for p in premises for i in range(6)]
    together = EntailmentScorer(shipped).entail_probs(pairs)
    alone = np.array([shipped.run(shipped.rows([pair])[0])[0, 0] for pair in pairs])
    np.testing.assert_allclose(together, alone, atol=5e-4)


def test_auto_stands_words_in_where_the_model_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(entailment, "OnnxModel", lambda threads: OnnxModel(tmp_path, threads=threads))
    assert entailment.chosen_entailment("auto") is None
    assert "words alone stands in" in caplog.text and "model.onnx" in caplog.text
    assert entailment.chosen_entailment("none") is None
    with pytest.raises(UserError, match=r"has no model.onnx"):
        entailment.chosen_entailment("embedded")


def test_the_card_is_of_the_shipped_weights() -> None:
    from rac.files import sha256_file

    card = models.embedded_card()
    assert card["model_sha256"] == sha256_file(models.EMBEDDED_DIR / "model.onnx")
    for table in card["figures_int8"]["claims"].values():
        assert table["auc_unseen_kinds"] >= 0.85 and table["unseen_kinds_n"] > 100
