from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from entailment_support import small_encoder, word_tokenizer
from rac.errors import DataError
from rac.metrics.entailment_training import sources, train
from rac.metrics.entailment_training.alterations import HELD_OUT_KINDS, TRAINING_KINDS, alterations
from rac.metrics.entailment_training.attributes import ALL_ATTRIBUTES, attributes
from rac.metrics.entailment_training.card import calibration_plot, model_card
from rac.metrics.entailment_training.claims import ClaimMaker, LabelledClaim, siblings_by_topic
from rac.metrics.entailment_training.evaluate import (
    accuracy,
    auc,
    calibrate,
    claim_table,
    expected_calibration_error,
    fit_platt,
    overlap_score,
    passage_scores,
    reliability,
    sigmoid,
)  # fmt: skip
from rac.metrics.entailment_training.facets import Facet, passage_facets, short_title, word_claim
from rac.metrics.entailment_training.phrases import head_noun, phrases
from rac.metrics.entailment_training.rewording import reword
from rac.metrics.entailment_training.train import TrainSettings, margins, token_budget_batches
from rac.metrics.entailment_training.vocabulary import check_disjoint, harvest, is_held_out
from rac.metrics.text import content_keys
from rac.records import Passage

PLACES = ("Ulm", "Oslo", "Lima", "Kiel", "Bonn", "Graz", "Bern", "Rome", "Bath", "York", "Lyon", "Nice")
PEOPLE = ("Anna Berg", "Carl Lund", "Dora Klein", "Emil Gross", "Frida Stein", "Georg Wald", "Hanna Feld", "Igor Baum")


def _passages() -> list[Passage]:
    kinds = ("film", "novel", "play", "song", "bridge", "school", "band", "ship")
    made = []
    for i in range(48):
        kind, place, person = kinds[i % 8], PLACES[i % 12], PEOPLE[(i // 2) % 8]
        made.append(
            Passage(
                id=f"p{i}", title=f"Luna {i // 2}", types=(kind, f"{kind} subject"),
                description=f"{kind.title()} in {place}",
                text=f"Luna {i // 2} is a famous {kind} made by {person} in {place}. "
                f"It was opened in {1900 + i} with a large party. "
                f"The small {kind} won several old prizes near {PLACES[(i + 5) % 12]}.",
                meta={"topic": "Arts"},
            )
        )  # fmt: skip
    return made


def _maker(held_out: bool = False, seed: int = 1) -> ClaimMaker:
    passages = _passages()
    siblings = {p.id: [q for q in passages if q.title == p.title and q.id != p.id] for p in passages}
    gold = {"p0": ["famous film", "unheard of thing"]}
    return ClaimMaker(passages, siblings, gold, harvest(passages, held_out=held_out), "test", seed)


# ---- phrases and facets


def test_phrases_know_their_lead_kind_and_whether_they_say_what_the_thing_is() -> None:
    found = phrases("Rescue is an arcade game designed by Chris Oberth in Ulm in 1982.")
    assert [(p.lead, p.surface, p.kind, p.predicate) for p in found] == [
        ("", "Rescue", "name", False), ("", "an arcade game designed", "noun", True),
        ("designed by", "Chris Oberth", "person", False), ("in", "Ulm", "place", False), ("in", "1982", "year", False),
    ]  # fmt: skip


def test_head_of_a_description() -> None:
    assert head_noun("Painting by Rembrandt") == "Painting"
    assert head_noun("1968 film") == "film"
    assert head_noun("") == ""


def test_attributes_are_found_by_what_speaks_of_them() -> None:
    names = {name for i in attributes("It was published by Stern and won a prize.") for name in ALL_ATTRIBUTES[i]}
    assert {"publisher", "awards"} <= names and "population" not in names


def test_facets_are_in_the_passage_and_not_only_its_title() -> None:
    passage = _passages()[3]
    facets = passage_facets(passage, passage.text, random.Random(0))
    assert {f.form for f in facets} >= {"type", "phrase", "topic", "attribute", "clause"}
    known = content_keys(f"{passage.title} {' '.join(passage.types)} {passage.description} {passage.text}")
    for facet in facets:
        assert facet.form == "attribute" or (content_keys(facet.text) <= known and content_keys(facet.text))


def test_wordings_name_the_thing_and_use_the_right_article() -> None:
    assert (
        word_claim(Facet("type", "arcade game"), "Rescue", random.Random(0), "{T} is {a} {f}.")[0]
        == "Rescue is an arcade game."
    )
    assert short_title("Dune (novel)") == "Dune" and short_title("(novel)") == "(novel)"


def test_rewording_keeps_what_no_rule_knows() -> None:
    assert reword("blue thing", random.Random(0)) == "blue thing"
    assert {reword("Irish film", random.Random(i)) for i in range(20)} == {"film from Ireland", "Irish movie"}
    assert "the 1980s" in {reword("in 1982", random.Random(i), decade=True).removeprefix("in ") for i in range(20)}


# ---- alterations and claims


def test_no_kind_of_the_evaluation_is_in_training() -> None:
    assert not set(HELD_OUT_KINDS) & set(TRAINING_KINDS)


def test_an_alteration_changes_one_thing() -> None:
    vocabulary = harvest(_passages(), held_out=False)
    facet = Facet("phrase", "made in Ulm in 1982", (("place", "Ulm"), ("year", "1982")))
    found = dict(alterations(facet, vocabulary, random.Random(0), TRAINING_KINDS))
    assert found["near-number"].text.startswith("made in Ulm in 19") and found["near-number"].text != facet.text
    assert abs(int(found["near-number"].text[-4:]) - 1982) <= 4 < abs(int(found["far-number"].text[-4:]) - 1982)
    assert found["place"].text.endswith("in 1982") and "Ulm" not in found["place"].text
    opposite = dict(alterations(Facet("type", "northern town"), vocabulary, random.Random(0), ["opposite"]))
    assert opposite["opposite"].text == "southern town"
    assert alterations(Facet("type", "northern town"), vocabulary, random.Random(0), ["place"]) == []


def test_replacement_words_are_split_by_hash_and_disjoint() -> None:
    training, held_out = harvest(_passages(), held_out=False), harvest(_passages(), held_out=True)
    check_disjoint(training, held_out)
    assert training.words["place"] and held_out.words["place"]
    assert all(is_held_out(w) for w in held_out.words["place"])
    with pytest.raises(AssertionError, match="held-out words in training"):
        check_disjoint(training, training)


def test_altered_claims_say_something_that_the_passage_does_not() -> None:
    claims = _maker().make(TRAINING_KINDS, per_window=3)
    assert {c.kind for c in claims} >= {"supported", "near-number", "place", "type", "sibling", "donor", "attribute"}
    share = np.mean([c.supported for c in claims])
    assert 0.4 < share < 0.6
    by_words = [
        c
        for c in claims
        if c.kind in ("place", "type", "noun", "donor", "sibling", "name", "near-number", "far-number")
    ]
    for claim in by_words:
        p = claim.passage
        known = content_keys(f"{p.title} {' '.join(p.types)} {p.description} {p.text} text")
        assert content_keys(claim.hypothesis) - known - content_keys("says something mentions tells called refers"), (
            claim
        )


def test_training_claims_use_training_kinds_only_and_are_the_same_for_a_seed() -> None:
    one, two, other = (_maker(seed=s).make(TRAINING_KINDS, per_window=2) for s in (1, 1, 2))
    assert one == two and one != other
    assert {c.kind for c in one} <= {"supported", *TRAINING_KINDS}
    assert {c.kind for c in _maker(True).make(HELD_OUT_KINDS, per_window=3)} <= {"supported", *HELD_OUT_KINDS}


def test_limit_and_siblings() -> None:
    assert 20 <= len(_maker().make(TRAINING_KINDS, per_window=2, limit=20)) <= 26
    siblings = siblings_by_topic(_passages())
    assert all(s.description.split()[0] == "Film" and s.id != "p0" for s in siblings["p0"])


# ---- measuring


def test_auc_counts_ties_half() -> None:
    assert auc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == 0.875
    assert np.isnan(auc(np.array([]), np.array([0.5])))


def test_a_passage_scores_as_its_best_window() -> None:
    passage = Passage(id="p", title="Luna", text="Red one. Red two. Blue three. Blue four.")
    claims = [LabelledClaim(passage, "", h, True, "supported", "t") for h in ("Blue", "Green")]
    assert passage_scores(claims, overlap_score).tolist() == [1.0, 0.0]


def test_claim_table_separates_kinds_that_training_never_showed() -> None:
    passage = Passage(id="p", title="Luna")
    kinds = ["supported", "supported", "person", "place"]
    claims = [LabelledClaim(passage, "", "h", k == "supported", k, "t") for k in kinds]
    table = claim_table(claims, np.array([0.9, 0.4, 0.5, 0.1]))
    assert (table["auc_unseen_kinds"], table["kinds"]["place"]["auc"], table["auc_all"]) == (0.5, 1.0, 0.75)
    assert table["kinds"]["person"]["in_training"] is False


def test_accuracy_of_two_classes() -> None:
    pairs = [sources.NliPair("p", "h", e, "g") for e in (True, True, False)]
    assert accuracy(pairs, np.array([1.0, -1.0, -2.0])) == {
        "accuracy": pytest.approx(2 / 3), "majority": pytest.approx(2 / 3), "auc": 1.0, "n": 3
    }  # fmt: skip


def test_platt_finds_the_scale_and_offset_of_the_data() -> None:
    rng = np.random.default_rng(0)
    found = rng.normal(0, 3, size=4000)
    truth = rng.random(4000) < sigmoid(found, 0.5, -0.7)
    scale, offset = fit_platt(found, truth)
    assert scale == pytest.approx(0.5, abs=0.06) and offset == pytest.approx(-0.7, abs=0.12)
    calibration = calibrate(found, truth)
    assert calibration.error_after < 0.04 < calibration.error_before


def test_calibration_error_by_hand() -> None:
    probs, truth = np.array([0.95, 0.95, 0.05, 1.0]), np.array([True, False, False, True])
    assert reliability(probs, truth) == [(0.0, 0.05, 0.0, 1), (0.9, pytest.approx(2.9 / 3), pytest.approx(2 / 3), 3)]
    assert expected_calibration_error(probs, truth) == pytest.approx((0.05 + 0.9) / 4)


# ---- data


def test_nli_files_are_read_and_split_by_premise(tmp_path: Path) -> None:
    folder = tmp_path / "verypluming/MED"
    folder.mkdir(parents=True)
    head = "\t".join(f"c{i}" for i in range(16))
    rows = [
        "\t".join([*[""] * 8, f"premise {i // 2}", f"h{i}", *[""] * 5, "entailment" if i % 2 else "neutral"])
        for i in range(60)
    ]
    (folder / "MED.tsv").write_text("\n".join([head, *rows]) + "\n")
    training, test = sources.med(tmp_path, "train"), sources.med(tmp_path, "test")
    assert len(training) + len(test) == 60 and training and test
    assert not {p.premise for p in training} & {p.premise for p in test}
    assert sum(p.entailed for p in training + test) == 30
    with pytest.raises(DataError, match="RAC_MIRROR"):
        sources.sick(tmp_path)
    (folder / "MED.tsv").write_text(f"{head}\ntoo\tshort\n")
    with pytest.raises(DataError, match="line 2: has 2 columns where 16"):
        sources.med(tmp_path, "train")


def test_a_sample_keeps_passages_of_one_name_together() -> None:
    passages = _passages()
    chosen = sources.sample(sources.PassageSet("t", passages, {}, {}), 10, 1)
    assert len(chosen.passages) == 10
    names = [p.title for p in chosen.passages]
    assert all(names.count(name) == 2 for name in names)
    assert chosen == sources.sample(sources.PassageSet("t", passages, {}, {}), 10, 1)


def test_the_training_side_of_the_corpora_shares_nothing_with_the_test_side(data_mirror: Path) -> None:
    titles = {
        part: {p.title.casefold() for p in sources.claqua_passages(data_mirror, part).passages}
        for part in ("train", "calibration", "test")
    }
    assert all(titles.values())
    assert not titles["train"] & (titles["test"] | titles["calibration"]) and not titles["test"] & titles["calibration"]


# ---- training


@pytest.fixture
def small_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "load_tokenizer", lambda: word_tokenizer([f"w{i}" for i in range(50)]))


def _pairs(count: int) -> list[tuple[str, str, bool]]:
    rng = random.Random(0)
    made = []
    for i in range(count):
        premise = [f"w{rng.randrange(50)}" for _ in range(5)]
        inside = i % 2 == 0
        word = (
            rng.choice(premise)
            if inside
            else next(w for w in iter(lambda: f"w{rng.randrange(50)}", "") if w not in premise)
        )
        made.append((" ".join(premise), word, inside))
    return made


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_changes_layers_but_no_word_embedding_and_lowers_the_loss(
    small_words: None, tmp_path: Path, precision: str
) -> None:
    before = small_encoder().state_dict()
    words, layer = before["words.weight"].clone(), before["layers.0.query.weight"].clone()
    chosen = TrainSettings(batch_tokens=400, epochs=12, learning_rate=2e-3, precision=precision)
    model = train.train(_pairs(300), chosen, tmp_path, model=small_encoder())
    after = model.state_dict()
    assert (after["words.weight"] == words).all() and (after["layers.0.query.weight"] != layer).any()
    log = [json.loads(line) for line in (tmp_path / "training_log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < log[0]["loss"]
    assert (tmp_path / "model.safetensors").is_file() and (tmp_path / "settings.json").is_file()


def test_training_twice_gives_the_same_weights(small_words: None, tmp_path: Path) -> None:
    settings = TrainSettings(batch_tokens=400, epochs=1)
    one, two = (train.train(_pairs(60), settings, tmp_path / n, model=small_encoder()) for n in ("a", "b"))
    assert all((a == b).all() for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_margins_do_not_depend_on_batches(small_words: None) -> None:
    pairs = [(p, h) for p, h, _ in _pairs(31)]
    model = small_encoder()
    together = margins(model, pairs, TrainSettings(), budget=64)
    alone = np.concatenate([margins(model, [pair], TrainSettings()) for pair in pairs])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_batches_hold_every_row_within_the_budget(small_words: None) -> None:
    rows, _ = train.tokenize_rows([(p, h) for p, h, _ in _pairs(50)], TrainSettings())
    batches = token_budget_batches(rows, 60, random.Random(0))
    assert sorted(i for b in batches for r in b for i in r.members) == list(range(50))
    assert all(len(b) * max(r.tokens for r in b) <= 60 for b in batches)


# ---- card


def _config() -> dict[str, Any]:
    table = {
        "supported": 2, "altered": 3, "auc_all": 0.9, "auc_unseen_kinds": 0.86, "unseen_kinds_n": 2,
        "overlap_auc_unseen_kinds": 0.7, "claim_alone_auc": 0.5,
        "kinds": {"person": {"auc": 0.8, "n": 2, "in_training": False}},
    }  # fmt: skip
    figures = {"claims": {"claqua": table}, "nli": {"RTE": {"accuracy": 0.6, "majority": 0.5, "auc": 0.7, "n": 9}}}
    return {
        "name": "small", "premise_tokens": 96, "claim_tokens": 128, "scale": 1.0, "offset": -0.5,
        "calibration": {"error_before": 0.1, "error_after": 0.02}, "figures_int8": figures, "figures_float32": figures,
        "training": {"counts": {"claqua": {"supported": 1234}}, "counts_first": {"claqua": {"supported": 55}}},
        "layers": 3, "parameters_millions": 17.7, "megabytes": 17.6,
        "int8_against_float32": {"same_side": 0.995, "mean_difference": 0.0034, "pairs": 4000},
    }  # fmt: skip


def test_the_card_states_licences_figures_and_weaknesses() -> None:
    card = model_card(_config())
    for part in (
        "Apache-2.0",
        "CC BY-NC-SA",
        "**0.860** [0.432, 1.000] (n = 2)",
        "0.800 (2)",
        "supported 1,234",
        "1.000 m -0.500",
        "fools",
        "3 layers, 17.7 M",
        "| 1 | claqua | supported 55 |",
        "On 4,000 pairs of window and claim, 99.5% lie",
    ):
        assert part in card


def test_the_plot_is_well_formed() -> None:
    import xml.etree.ElementTree as ElementTree

    plot = calibration_plot({"before": [(0.0, 0.1, 0.2, 5)], "after": [(0.0, 0.15, 0.15, 5), (0.9, 0.95, 0.9, 4)]})
    root = ElementTree.fromstring(plot)
    assert len([e for e in root.iter() if e.tag.endswith("circle")]) == 3 + 2
