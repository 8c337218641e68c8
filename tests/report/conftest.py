"""A small but complete report: six systems, forty queries, claims with evidence, odd and hostile text."""

from __future__ import annotations

import random

import pytest

from rac.metrics.significance import bootstrap_ci, compare_systems
from rac.report.data import MetricInfo, ReportData, Table

NAMES = ["Luna", "Cafe Blue", "Creekside Elementary School", "Dune", "Messiah", "King of <b>Siam</b>", "Москва 🎬"]
KINDS = [("ship", "1878 sailing ship", "was a barque built in Dumbarton by Archibald McMillan and launched in"),
         ("film", "drama film", "is a film directed by Anna Vasquez and released by Sunrise Pictures in"),
         ("place", "town in Ohio", "is a town in Licking County whose population was counted in"),
         ("writer", "American writer", "was a writer of short stories who won the Hugo Award in")]  # fmt: skip
SYSTEMS = {"base": 0.25, "template": 0.8, "ungrounded": 0.35, "grounded": 0.72, "rac": 0.86, "gold": 0.95}
METRICS = [
    MetricInfo("headline", "Headline", "Faithfulness", about="Mean of 2·Faith·Info / (Faith + Info) over questions."),
    MetricInfo("faith", "Faith", "Faithfulness", about="Mean support of a question's claims."),
    MetricInfo(
        "hallucinated", "Hallucinated", "Faithfulness", "lower", "Share with an unsupported claim.", percent=True
    ),
    MetricInfo("info", "Info", "Usefulness", about="What a simulated user's answer tells about the target."),
    MetricInfo("rouge_l", "ROUGE-L", "Reference overlap", about="Longest common subsequence with the nearest gold."),
    MetricInfo("length", "Length", "Reference overlap", "", "Words of the question."),
]


def make_report(queries: int = 40, seed: int = 0) -> ReportData:
    rng = random.Random(seed)
    query_rows, items = [], []
    values = {s: {m.name: [] for m in METRICS} for s in SYSTEMS}
    clusters = []
    for number in range(queries):
        name = NAMES[number % len(NAMES)]
        passages = []
        for j, (kind, description, text) in enumerate(rng.sample(KINDS, 3)):
            passages.append(
                {
                    "id": f"q{number}-p{j}", "title": name, "types": [kind, "topic"], "description": description,
                    "text": f"{name} {text} {1850 + rng.randrange(150)}. It is mentioned in several guides.",
                    "gold": j < 2,
                }
            )  # fmt: skip
        query_rows.append(
            {
                "id": f"q{number}", "query": f"When was {name} started & who paid?", "passages": passages,
                "golds": [f"Do you mean the {passages[0]['types'][0]} {name} or the {passages[1]['types'][0]} {name}?"],
            }
        )  # fmt: skip
        clusters.append(f"c{number // 2}")
        for system, quality in SYSTEMS.items():
            items.append(_item(rng, system, quality, number, name, passages))
            for metric in METRICS:
                values[system][metric.name].append(items[-1]["scores"].get(metric.name))
    tables = []
    for label, keep in (("All queries", range(queries)), ("Natural queries", range(0, queries, 2))):
        part = {s: {m: [v[i] for i in keep] for m, v in row.items()} for s, row in values.items()}
        names = [clusters[i] for i in keep]
        summaries = {
            s: {m: {k: getattr(bootstrap_ci(v, names, 0, 300), k) for k in ("mean", "low", "high", "n", "unscored")}
                for m, v in row.items()}
            for s, row in part.items()
        }  # fmt: skip
        rows = [c.to_dict() for c in compare_systems(part, names, 0, n=500)]
        note = "" if label.startswith("All") else "Queries whose gold has no option that is defined by lacking a type."
        tables.append(Table(label, summaries, rows, note, "retrieved, top 5"))
    return ReportData(
        title="rac on CLAQUA <validation>", metrics=METRICS, tables=tables, queries=query_rows, items=items,
        passages_used="retrieved, top 5",
        signature="headline|v1|claims:rules-2|nli:embedded@3f2a|D:retrieved5|tau:0.42",
        notes=["40 queries, 240 questions; 3 passages cut to 64 tokens."],
        warnings=["entailment by the small embedded model only; a larger NLI model judges better."],
    )  # fmt: skip


def _item(rng, system, quality, number, name, passages):
    if system == "base" and number % 11 == 3:
        scores = {"headline": 0.0, "faith": None, "hallucinated": None, "info": 0.0, "rouge_l": 0.0, "length": 0.0}
        return {"id": f"q{number}", "system": system, "question": " ", "claims": [], "flags": ["empty"],
                "reason": "fewer than two supported options", "scores": scores}  # fmt: skip
    question = "Do you mean "
    claims = []
    for j in range(2):
        good = rng.random() < quality
        option = passages[j]["types"][0] if good else rng.choice(["opera", "comet 🎇", "<img src=x onerror=alert(1)>"])
        start = len(question)
        question += f"the {option} {name}"
        support = round(rng.uniform(0.6, 1.0) if good else rng.uniform(0.0, 0.35), 3)
        evidence = []
        if good:
            evidence = [{"passage": passages[j]["id"], "field": "types", "start": 0, "end": len(option)}]
            at = passages[j]["text"].find(option)
            if at >= 0:
                evidence.append({"passage": passages[j]["id"], "start": at, "end": at + len(option)})
        claims.append({"text": option, "kind": "OPTION", "start": start, "end": len(question), "support": support,
                       "supported": good, "evidence": evidence})  # fmt: skip
        question += " or " if j == 0 else "?"
    faith = sum(c["support"] for c in claims) / 2
    info = 1.0 if all(c["supported"] for c in claims) else 0.4
    flags = [] if all(c["supported"] for c in claims) else ["unsupported option"]
    return {"id": f"q{number}", "system": system, "question": question, "claims": claims, "flags": flags,
            "scores": {"headline": 2 * faith * info / (faith + info), "faith": faith,
                       "hallucinated": float(bool(flags)), "info": info,
                       "rouge_l": rng.uniform(0.2, 0.8) if system != "gold" else 1.0,
                       "length": float(len(question.split()))}}  # fmt: skip


@pytest.fixture(scope="session")
def report_data() -> ReportData:
    return make_report()
