"""What each metric is called, which way it is better, what it measures and what fools it: for tables, pages, help."""

from __future__ import annotations

from dataclasses import dataclass

REFERENCE = "Overlap with references"
"""The group of metrics that need gold questions and no passages."""


@dataclass(frozen=True)
class MetricSpec:
    """One column.

    Attributes:
        name: Key in scores and summaries.
        label: Heading.
        group: Metrics of one group stand together.
        better: ``higher``, ``lower`` or ``""`` (neither).
        about: One sentence: what it measures, and what fools it.
        percent: Whether it is shown as a percentage.
    """

    name: str
    label: str
    group: str
    better: str
    about: str
    percent: bool = False


_SPECS = (
    MetricSpec("headline", "Headline", "Faithfulness", "higher",
               "Harmonic mean of Faith and Info; 0 for a question without claims. Fooled by what fools both."),
    MetricSpec("faith", "Faith", "Faithfulness", "higher",
               "Mean support of the question's claims, each by one passage. Alone it is won by saying little."),
    MetricSpec("info", "Info", "Faithfulness", "higher",
               "Share of what an answer could tell about which passage is meant. Alone it does not see extra claims."),
    MetricSpec("faith_strict", "Faith (strict)", "Faithfulness", "higher", "Support of the worst supported claim."),
    MetricSpec("hallucinated", "Hallucinated", "Faithfulness", "lower",
               "Share of questions with a claim whose support is under the threshold.", True),
    MetricSpec("faith_all", "Faith (all claims)", "Faithfulness by kind", "higher",
               "Faith with what takes up the user's own words: the variant that the definition began with."),
    MetricSpec("info_uniform", "Info (uniform user)", "Faithfulness by kind", "higher",
               "Info with a user who picks at random among options that fit: the definition's first variant."),
    MetricSpec("faith_option", "Faith of options", "Faithfulness by kind", "higher", "Faith over OPTION claims."),
    MetricSpec("faith_topic", "Faith of topics", "Faithfulness by kind", "higher", "Faith over TOPIC claims."),
    MetricSpec("faith_not_type", "Faith of non-types", "Faithfulness by kind", "higher", "Faith over NOT-TYPE claims."),
    MetricSpec("faith_attribute", "Faith of presuppositions", "Faithfulness by kind", "higher",
               "Faith over ATTRIBUTE claims, those that take up the user's own words included."),
    MetricSpec("hallucinated_option", "Hallucinated option", "Faithfulness by kind", "lower",
               "Share with an OPTION claim under the threshold.", True),
    MetricSpec("hallucinated_topic", "Hallucinated topic", "Faithfulness by kind", "lower",
               "Share with a TOPIC claim under the threshold.", True),
    MetricSpec("hallucinated_not_type", "Hallucinated non-type", "Faithfulness by kind", "lower",
               "Share with a NOT-TYPE claim under the threshold.", True),
    MetricSpec("hallucinated_attribute", "Hallucinated presupposition", "Faithfulness by kind", "lower",
               "Share with an ATTRIBUTE claim under the threshold.", True),
    MetricSpec("parent_q", "PARENT-Q", "PARENT", "higher",
               "n-grams of each option in one passage (precision) against the passages' facets (recall)."),
    MetricSpec("parent_q_precision", "PARENT-Q precision", "PARENT", "higher",
               "Share of the options' n-grams that their best passage has. Won by copying."),
    MetricSpec("parent_q_recall", "PARENT-Q recall", "PARENT", "higher",
               "Share of the passages' facets that the question names. Falls with the size of D."),
    MetricSpec("faith_corpus", "Faith (corpus)", "Support by the corpus", "higher",
               "Faith of what is offered, D or what query and option retrieve: D may have missed what the corpus has."),
    MetricSpec("missed_by_d", "Missed by D", "Support by the corpus", "",
               "Share of what is offered that the corpus supports and D does not.", True),
    MetricSpec("delta_ndcg", "ΔnDCG@10", "Retrieval gain", "higher",
               "nDCG of query + question + answer minus that of the query. The answer is gold or a simulated user's."),
    MetricSpec("delta_mrr", "ΔMRR@10", "Retrieval gain", "higher",
               "The same for the reciprocal rank. A question that names passages helps lexical search by its words."),
    MetricSpec("delta_recall", "ΔRecall@10", "Retrieval gain", "higher", "The same for recall."),
    MetricSpec("raw_summac_zs", "SummaC-ZS (raw)", "Raw", "higher",
               "The whole question as NLI hypothesis: what readers expect; a question entails nothing."),
    MetricSpec("raw_alignscore", "AlignScore (raw)", "Raw", "higher",
               "The same with chunks of D as premises (AlignScore's aggregation)."),
    MetricSpec("raw_parent", "PARENT (raw)", "Raw", "higher",
               "PARENT against gold questions with D flattened into one table. Reads gold."),
    MetricSpec("good", "Good", "Words", "higher",
               "Share with two or more options, each carried by one passage, all different. Won by copying.", True),
    MetricSpec("unsupported", "Unsupported option", "Words", "lower",
               "Share with an option that has a word in no single passage. Takes synonyms for inventions.", True),
    MetricSpec("same_option", "Same option twice", "Words", "lower",
               "Share that offers two options with the same words.", True),
    MetricSpec("empty", "Empty", "Words", "lower", "Share without a word.", True),
    MetricSpec("grounding", "Grounding", "Words", "higher",
               "Share of content words outside the query that stand somewhere in D. Won by copying."),
    MetricSpec("unsupported_names", "Unsupported names", "Words", "lower",
               "Number of capitalised words in claims that neither D nor the query has."),
    MetricSpec("unsupported_numbers", "Unsupported numbers", "Words", "lower",
               "Number of numbers and dates in claims that neither D nor the query has."),
    MetricSpec("options", "Options", "Words", "", "Number of things offered."),
    MetricSpec("length", "Length", "Words", "", "Number of words."),
    MetricSpec("rouge_l", "ROUGE-L", REFERENCE, "higher",
               "Longest common subsequence with the best reference. Hardly sees an invented option."),
    MetricSpec("rouge_1", "ROUGE-1", REFERENCE, "higher", "Common words with the best reference."),
    MetricSpec("rouge_2", "ROUGE-2", REFERENCE, "higher", "Common word pairs with the best reference."),
    MetricSpec("bleu", "BLEU", REFERENCE, "higher", "Sentence BLEU-4 against all references."),
    MetricSpec("chrf", "chrF", REFERENCE, "higher", "Character n-grams of the best reference."),
    MetricSpec("meteor_nowordnet", "METEOR (no WordNet)", REFERENCE, "higher",
               "Exact and stem matches with the best reference; no synonyms."),
    MetricSpec("embedding", "Embedding similarity", REFERENCE, "higher",
               "Cosine with the nearest reference. One wrong name hardly moves it."),
    MetricSpec("facet_coverage", "Facet coverage", "Gold facets", "higher",
               "How many of the query's gold facets are offered. Other words for a facet count as missed."),
    MetricSpec("facet_hit", "Facet hit", "Gold facets", "higher", "How well the best option fits a gold facet."),
    MetricSpec("facet_fit", "Facet fit", "Gold facets", "higher",
               "How many of the options are gold facets. Right options that the source does not list count as wrong."),
)  # fmt: skip

METRICS: dict[str, MetricSpec] = {spec.name: spec for spec in _SPECS}
"""Name -> description, in the order of columns."""
