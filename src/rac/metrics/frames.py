"""The frames of clarifying questions: the words around what is offered ("Are you looking for ...", "when you say ...").

Every pattern works on lower-case text of the same length as the question (``text.plain`` and ``text.lower``), so that
offsets are those of the question. English only.
"""

from __future__ import annotations

import re

_ADVERB = r"(?:(?:\w+ly|also|still|just|perhaps|maybe|more|most|even|instead|currently|by any chance|possibly) )*"
_ABOUT = (
    r"(?:about|regarding|concerning|on|of|for|in|to|at|with regards? to|in regards? to|related to|relating to|"
    r"with respect to)"
)
_KNOW = (
    r"(?:know|learn|find out|find|see|hear|read|get|look|understand|discover|explore|search|be|receive|obtain|"
    r"view|inquire|ask|talk|discuss|look up|focus|have|check|investigate|gather|access|refer)"
)
_LEAD = (
    rf"(?:(?:to )?{_ADVERB}{_KNOW}(?:ing)?\b(?: (?:for|out|into|at|up|through))?)"
    r"(?: (?:some|any|a (?:bit|little)|more|further|further details|additional|extra|specific|general|detailed))*"
    r"(?: (?:information|info|details?|facts|examples))?"
    rf"(?: {_ABOUT}\b)?"
)

IDENTITY = (
    r"(?:(?:so )?(?:do|did) (?:you|u) (?:\w+ly )?(?:mean(?: by)?|refer(?: to)?)|"
    r"(?:whether|if) (?:you|u) (?:\w+ly )?(?:mean|meant)(?: by)?|"
    rf"(?:whether|if) (?:you|u)(?: are| were|'re) {_ADVERB}(?:refer+ing|talking|asking|speaking|thinking)\b"
    r"(?: (?:to|about|of))?|"
    r"(?:is|was) (?:your|the) (?:question|query|request) (?:about|regarding|concerning|on)|"
    r"(?:is|was) (?:it|this|that)(?: (?:about|for|the case that))?|"
    rf"(?:are|were|r) (?:you|u) {_ADVERB}(?:re[f]+er[r]?ing|talking|speaking|referencing|thinking|taking|saying|"
    rf"meaning)\b"
    r"(?: (?:to|about|of|more about|specifically about|with regards? to|in regards? to|regarding))?)"
)
"""Frames that identify the thing meant: what follows names it."""

NEED = (
    rf"(?:(?:(?:are|were|r) (?:you|u)|are|you) {_ADVERB}(?:wanting|look(?:ing|in)|search(?:ing)?|hoping|trying|"
    rf"wishing|planning|"
    rf"seeking|needing|asking|inquiring|enquiring|wondering|shopping|i+nt[e]?rested|curious|concerned)\b"
    r"(?: more| specifically| particularly)*"
    rf"(?: (?:for|in|about|if|whether|on|regarding|at|into|up|of|(?:in|with) regards? to)\b)?(?: {_LEAD})?|"
    rf"(?:(?:do|did|would|will|could|can|may|might) (?:you|u) {_ADVERB}(?:want(?:ing)?|need|wish|like|liked?|prefer|"
    rf"care|desire|"
    rf"intend|plan|require|be (?:interested|looking|referring|asking|curious))\b"
    rf"(?: me\b)?(?: (?:in|for|about|to)\b)?(?: {_LEAD})?)|"
    rf"(?:(?:can|could|may|should|shall|would) i (?:help|assist|tell|take|show|give|provide|offer|get|direct|"
    rf"recommend|suggest|"
    rf"interest)(?: (?:you|to))*(?: (?:with|in|to|about|find|finding|by))*(?: {_LEAD})?)|"
    rf"(?:are|is|would) (?:you )?(?:like|want) {_LEAD})"
)
"""Frames that ask for the user's information need: what follows is a topic."""

ALTERNATIVE_LEAD = re.compile(
    rf"(?:{IDENTITY}|{NEED}|(?:or|either|and|maybe|perhaps|just|simply|rather|is it|whether|if|instead|about|possibly|"
    r"only|specifically|more specifically|both|else|alternatively|namely|such as|like|do you mean|you mean|would you|"
    rf"there is|there are|there's|are you|do you)\b)[\s,:]*"
)
"""What may stand before an alternative and is no part of it."""

CORE_LEAD = re.compile(
    rf"(?:{_LEAD}|(?:some|any|more|further|additional|specific|general|detailed|particular)\b(?= (?:information|info|"
    rf"details?|"
    r"facts|data|resources|ways? to|more|specific|particular|additional|general|detailed)\b)|"
    r"(?:the |some |any |more |a )?(?:further |more |specific |general |additional |detailed |particular |certain )*"
    r"(?:information|info|details|facts) "
    r"(?:about|on|of|regarding|concerning|for|related to|relating to|as to|with regards? to)\b|"
    r"(?:some|one|any|a few) of\b|more about|more (?:of|on)\b|about|regarding|whether|specifically|in particular)\s+"
)
"""Words at the start of the core that ask for information without saying which."""

FRAME = re.compile(rf"(?P<identity>{IDENTITY})\b|(?P<need>{NEED})\b")

FRAME_START = re.compile(
    rf"(?:^|(?<=[,;:\-.!?)\"] )|(?<=[,;:!?] )|(?<=[,;])|(?<=\bso )|(?<=\bbut )|(?<=\band )|(?<=\bor )|(?<=\bthen )|"
    rf"(?<=\bthere )|"
    rf"(?<=\bask )|(?<=  )|(?<=\s)(?=(?:whether|if) (?:you|u)\b))(?:{FRAME.pattern})"
)
"""A frame at the start of a sentence or of a clause."""

ECHO = re.compile(
    r"\bwhen(?:ever)? (?:(?:you|u)(?:'re| are| were)? )?(?:say(?:ing)?|said|ask(?:ing|ed)?|mention(?:ing|ed)?|"
    r"tell(?:ing)?|"
    r"told|use(?:d)? the (?:term|word|name|phrase)|request(?:ing|ed)?|refer(?:ring|red)?|talk(?:ing|ed)?|speak(?:ing)?|"
    r"inquir(?:e|ing|ed)|search(?:ing|ed)?|want(?:ed)?|need|writ(?:e|ing)|wrote|wonder)\b"
    r"(?: (?:about|for|to|of|that|me|us|on|regarding))*[\s,:]*|"
    r"\bwhen (?:you )?(?=(?:the|this|that|a|an)\b)|"
    r"\bwhat do you mean by\b\s*|\b(?:by|with)(?= (?:\"|'|the (?:term|word)))\s*"
)
"""The user's words taken up again: what follows is presupposed."""

WH = re.compile(
    r"(?:^|(?<=[,;:.!?\-\"] )|(?<=\bso )|(?<=\band )|(?<=\bbut ))(?:(?:to|for|in|about|of|from|on|at|with|by) )?"
    r"(?P<wh>which|what|whats|what's|who|whom|whose|where|when|why|how many|how much|how)\b"
)
"""A wh-question at the start of a sentence or of a clause."""

WH_ASK = re.compile(
    rf"(?:(?:(?:do|did|would|are|were|will|should|can|could|might|may) you|(?:should|can|could|may|shall) (?:i|we)|"
    rf"(?:you|you're|you are))\b {_ADVERB}(?:be )?"
    r"(?:mean(?:ing)?|want(?:ing)?|need(?:ing)?|like|wish|prefer|have in mind|have|look(?:ing)?|search(?:ing)?|"
    r"i+nt[e]?rested|refer+ing|talking|speaking|asking|inquiring|curious|thinking|referencing|trying|hoping|"
    r"seek(?:ing)?|"
    r"seeking|wondering|planning|require|know|learn|find|choose|focus|help|provide|tell|show|give|concerned|worried)\b"
    rf"(?: (?:you|me|in mind))?(?: (?:for|in|to|about|of|with|on|by|at|into|regarding))?(?: {_LEAD})?(?: (?:to|about|"
    rf"of|for|in|on))?"
    r"|(?:would|might|may|should) (?:interest|help|suit) (?:you|be)|(?:are|is) of (?:most )?interest)"
)
"""Inside a wh-question: the part that only asks ("do you mean", "would you like to know about")."""

ANSWERLESS = re.compile(
    r"(?:(?:can|could|would|will) you (?:please )?(?:be (?:a bit |a little )?(?:more )?(?:specific|clear\w*|precise)|"
    r"clarify|"
    r"specify|explain|elaborate|rephrase|tell me more|give (?:me )?more|provide (?:me )?(?:with )?more|narrow)|"
    r"please (?:clarify|specify|be|elaborate|explain|rephrase)|sorry|pardon|excuse me|"
    r"i(?:'m| am)? (?:do not|don't|not sure|am not sure|can(?:'t|not)) (?:\w+ )?(?:understand|know|what|get|sure)?|"
    r"what do you mean(?: by that)?|which one(?: do you mean)?|what (?:is|are) you(?:r)? (?:looking for|question)|"
    r"how (?:can|may|could) i help(?: you)?|"
    r"(?:is|was|are) (?:there )?(?:any|some)thing (?:else|specific|in particular|particular)?.*|"
    r"(?:select|choose|pick) (?:one|an option|from|any).*)$"
)
"""Questions that ask without committing to anything."""

ASK_BACK = re.compile(
    r"(?:^|(?<=[,;:.!?] )|(?<=\bso )|(?<=\band )|(?<=\bbut ))(?:(?:can|could|would|will) (?:you|u) (?:please |kindly |"
    r"perhaps )*|(?:please )?(?=(?:let me know|tell me|specify|clarify|say|indicate|confirm)\b))"
    r"(?:indicate|confirm|be|clarify|specify|explain|elaborate|rephrase|tell me|let me know|give me|"
    r"provide(?: me)?(?: with)?|narrow "
    r"(?:it )?down|"
    r"say)\b(?:(?: on| a| bit| little| more| some| further| specific| specifically| precise| precisely| clear| "
    r"exactly| "
    r"details?| information| context| about| regarding| that| it is| you are asking)\b)*"
)
"""A question that only asks the user to say more; what follows may name a topic ("could you tell me which year")."""

YES_NO = re.compile(
    r"(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should|shall|must|may|might|isn't|aren't|"
    r"don't|"
    r"doesn't|didn't|hasn't|haven't)\b\s+"
)
"""A question that begins with a verb and has no frame: the whole clause is its facet."""

THERE_IS = re.compile(
    r"(?:is|are|was|were) there (?:(?:a|an|any|some|one|other|another|more)\b ?)*"
    r"(?:(?:specific|particular|certain|other|additional)\b ?)*"
)

SPECIFIC = re.compile(
    r"(?:(?:a|an|any|some|one|the|every|each|all|of|these|those|certain|specific|specifically|particular|in|exact|"
    r"exactly|general|"
    r"overall|other|another|different|individual|single|special)\b\s*)+"
)
"""Words before a noun that only say that one of several is meant."""

CATCH_ALL = re.compile(
    r"(?:h+m+|(?:is it )?(?:something|anything|somewhere|someone|somebody|anyone|anywhere|somehow|none|neither|nothing|"
    r"all|both|any|"
    r"either|another|an?other one|others?|not|no|none of (?:these|those|them|the above)|more|so|what|else|not sure|"
    r"(?:all|both|any|neither) of (?:these|those|them)|in general|generally|the (?:other|others|latter|former)|"
    r"just (?:in general|generally|curious))\b(?: (?:else|other|different|specific|entirely|entirely different|"
    r"completely "
    r"different|in general|in particular|more specific|at all))*|(?:some|any|an?)? ?other\b.{0,40}|(?:an? "
    r")?(?:entirely |completely )?different\b.{0,40}|"
    r"what(?: else)?|etc)[\s.?!]*"
)
"""An alternative that offers nothing of its own ("or something else")."""

IDIOM = re.compile(
    r"\b(?:one or more|more or less|whether or not|or so|sooner or later|now or never|trick or treat|dead or alive|"
    r"truth or "
    r"dare|deal or no deal|life or death|all or nothing|one or two|two or three|or not|one way or another|"
    r"\d+ or (?:more|less|older|younger|over|under|above|below)|or (?:more|less|fewer|older|younger|later|earlier|"
    r"above|below|over)"
    r"(?=[\s?.!,]*$))\b"
)
"""Fixed phrases whose "or" offers no alternative."""

_ASKED = (
    r"ask|asking|mean|meant|meaning|refer|referring|talk|talking|speak|speaking|search|searching|look|looking|find|seek|"
    r"seeking|after|interested|question|query|request|answer|related|relate|relating|concern|concerns|concerned|want|"
    r"wanting|need|hear|know|case|hm+"
)
ASKING_LEAD = re.compile(
    r"(?:(?:i|we|you|u|it|your|the|this|that|be|is|are|was|by|any|chance|whether|if|to|for|about|of|on|in|with|may|can|"
    rf"could|would|do|does|just|perhaps|maybe|possibly|now|also|really|actually|help|so|okay|well|{_ASKED})\b[\s,:]*)*"
    rf"\b(?:{_ASKED})\b[\s,:]*(?:(?:about|for|to|of|in|on|with|by|that|whether|if|be|you|it|is)\b\s*)*"
)
"""Words that only ask, in front of the first of several alternatives ("your question concerns ...")."""

TAIL = re.compile(
    r"(?:[\s,;:.?!\-]|\b(?:which (?:one|of (?:these|them|those|the two))|"
    r"(?:both )?(?:match|matches|fit|fits) (?:your|the) (?:query|question|request|search)|"
    r"(?:that )?you have(?: in mind)?|(?:be )?(?:that |what )?you(?:'re| are| were)? (?:\w+ly )?"
    r"(?:looking for|talking about|referring to|asking about|interested in|"
    r"want(?:ing)?|mean|need|thinking of|searching for|inquiring about|asking|interested in knowing(?: about)?|"
    r"(?:would|'d) like(?: (?:more )?to (?:know|learn|see|hear|find)(?: (?:more )?(?:about|of))?)?)(?= *[?.!,]*$)|"
    r"please|instead|"
    r"specifically|by any chance|in mind|to know(?: about)?|thanks|thank you|right|correct)(?=[\s?.!,]*$))+$"
)
"""Words and marks at the end that are no part of what is offered."""

PREPOSITIONS = frozenset(
    [
        "in",
        "of",
        "from",
        "by",
        "at",
        "with",
        "for",
        "on",
        "as",
        "about",
        "to",
        "under",
        "during",
        "after",
        "before",
        "near",
        "into",
        "against",
        "without",
        "within",
        "between",
        "through",
        "who",
        "whose",
        "that",
        "which",
    ]
)
"""Words that may start a shortened alternative ("Luna in Italy or in Spain")."""
