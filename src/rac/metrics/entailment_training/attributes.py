"""Attributes that a text speaks of: "the ship builder of Luna" is supported where the text says who built it."""

from __future__ import annotations

import re

_TABLE: tuple[tuple[str, str], ...] = (
    (
        r"published by|publishing (?:house|company)|\bpublisher\b",
        "publisher|publishing company|company that published it",
    ),
    (r"\bdirected by|\bdirector of|\bdirectorial", "director|directors|person who directed it|film director"),
    (r"\bproduced by|\bproducers?\b", "producer|producers|production company"),
    (
        r"\bwritten by|\bauthored|\bby author|\bnovel by|\bplay by|\bbook by|\bpoem by",
        "author|writer|person who wrote it",
    ),
    (r"\bstarring\b|\bstars\b|\bplayed by\b|\bcast\b", "cast|actors|stars|actor who played in it"),
    (r"\bcomposed by|\bcomposer\b|\bmusic by", "composer|music|person who composed it"),
    (r"\blyrics\b|\blyricist", "lyrics|lyricist|lyrics writer"),
    (r"\bdesigned by|\barchitect\b|\bdesigner\b", "designer|architect|person who designed it"),
    (r"\bbuilt (?:by|for)|\bbuilder|\bshipyard|\bconstructed by", "builder|constructor|company that built it"),
    (r"\bfounded by|\bfounders?\b|\bestablished by|\bco-founded", "founder|founders|person who founded it"),
    (
        r"\b(?:founded|established|formed|created|incorporated) in (?:\w+ )?\d{4}",
        "founding date|date of foundation|year of foundation",
    ),
    (r"\bborn\b[^.]{0,40}\d{4}", "date of birth|birthday|birth date"),
    (r"\bborn\b[^.]{0,40} (?:in|at) [A-Z]", "place of birth|birthplace|place of being born"),
    (r"\bdied\b|\bdeath\b|\d{4}\s?[–-]\s?\d{4}\)", "date of death|death"),
    (
        r"\blocated in|\bsituated in|\blies in"
        r"|\b(?:city|town|village|river|lake|mountain|school|district|county) (?:in|of)\b",
        "location|place where it is|location of the place",
    ),
    (r"\bcapital\b", "capital"),
    (r"\bpopulation\b|\binhabitants\b", "population|number of inhabitants"),
    (r"\bkm2\b|\bsquare (?:miles|kilomet)|\bacres\b|\bsq\b", "area|surface area|size"),
    (r"\bflows? (?:into|through)|\bempties into|\btributary|\bmouth\b", "mouth|course of the river|tributaries"),
    (r"\bkm long|\bmiles? long|\bkilomet\w+ long|\blength\b", "length"),
    (r"\belevation|\bmet(?:er|re)s high|\bheight\b|\bfeet high", "height|elevation"),
    (r"\breleased (?:in|on)|\brelease date|\bpremiered", "release date|date of release|premiere"),
    (r"\breleased by|\brecord label|\bRecords\b", "record label|label|company that released it"),
    (r"\bwon\b|\bawards?\b|\bprizes?\b|\bOscar|\bGrammy", "awards|prizes|award it won"),
    (r"\bmembers?\b|\bconsists? of|\bcomprises?\b|\bband comprises", "members|parts|composition"),
    (r"\bheadquarter", "headquarters|main office"),
    (r"\bowned by|\bowners?\b|\bsubsidiary of|\bparent company", "owner|owners|parent company"),
    (r"\bmarried\b|\bwife\b|\bhusband\b|\bspouse\b", "spouse|marriage|wife or husband"),
    (r"\bson of|\bdaughter of|\bfather\b|\bmother\b|\bparents\b", "parents|family|father or mother"),
    (r"\bchildren\b|\bsons?\b|\bdaughters?\b", "children"),
    (r"\bstudied at|\bgraduated|\beducated at|\balumn", "education|school attended|university"),
    (
        r"\bplays? (?:as|for)|\bmidfielder|\bdefender|\bforward\b|\bgoalkeeper|\bquarterback|\bpitcher",
        "position|position played|position of the player",
    ),
    (r"\bcoach(?:ed|es)?\b|\bmanager\b|\bmanaged by", "coach|manager"),
    (r"\bseasons?\b|\bepisodes?\b", "episodes|seasons|number of episodes"),
    (r"\baired\b|\bbroadcast|\bairs\b", "broadcaster|channel|showtime"),
    (
        r"\bgenre\b"
        r"|\b(?:horror|comedy|drama|thriller|science fiction|rock|pop|jazz) (?:film|movie|music|band|novel|series)",
        "genre|kind of work|type of work",
    ),
    (r"\bcharacters?\b|\bprotagonist", "characters|main character"),
    (r"\bset in\b|\btakes place", "setting|place where it is set"),
    (r"\bstory\b|\bplot\b|\btells\b|\bfollows\b", "plot|story"),
    (
        r"\bnamed (?:after|for)|\betymolog|\bname derives|\bname (?:comes|is derived)",
        "origin of its name|person or thing it is named after|name origin",
    ),
    (r"\blanguages?\b|\bspoken\b|-language\b", "language|languages"),
    (r"\bsymptoms?\b", "symptoms|signs"),
    (r"\btreat(?:ed|ment|s)\b|\btherap", "treatment|therapy"),
    (r"\bcaused? by|\bcauses?\b", "cause|causes"),
    (r"\bused (?:for|to|in|as)\b|\buses\b", "use|uses|purpose"),
    (r"\bfound in|\bnative to|\bhabitat|\bendemic", "habitat|distribution|place where it is found"),
    (r"\binvented by|\binventor|\bdiscovered by|\bdiscovere", "inventor|discoverer|discovery"),
    (r"\bchurch\b|\breligio|\bfaith\b|\bcatholic|\bJewish|\bMuslim|\bBuddhist", "religion|faith"),
    (r"\bmade (?:of|from)|\bingredients?\b", "material|ingredients|what it is made of"),
    (
        r"\bAmerican\b|\bBritish\b|\bEnglish\b|\bFrench\b|\bGerman\b|\bItalian\b|\bJapanese\b"
        r"|\bCanadian\b|\bIndian\b",
        "nationality|country|country of origin",
    ),
    (
        r"\b(?:actor|actress|singer|writer|politician|painter|physicist|mathematician|musician|footballer"
        r"|historian|philosopher)\b",
        "profession|occupation|job",
    ),
    (r"\btheor(?:y|ies)\b|\bknown for\b", "main work|what it is known for"),
)  # fmt: skip

_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), tuple(names.split("|"))) for pattern, names in _TABLE)
ALL_ATTRIBUTES: tuple[tuple[str, ...], ...] = tuple(names for _, names in _COMPILED)


def attributes(text: str) -> list[int]:
    """Return the indices (into ``ALL_ATTRIBUTES``) of the attributes that ``text`` speaks of."""
    return [i for i, (pattern, _) in enumerate(_COMPILED) if pattern.search(text)]
