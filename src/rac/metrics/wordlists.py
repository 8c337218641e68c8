"""Word lists of the lexical metrics: function words, irregular forms, number words, aliases of places and things."""

from __future__ import annotations


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(text: str) -> dict[str, str]:
    """Read "left:right" pairs."""
    return {left: right for left, _, right in (pair.partition(":") for pair in text.split())}


STOP_WORDS: frozenset[str] = frozenset(
    _split(
        """
    a an the this that these those some any each every either neither both all another other others such same
    i me my mine we us our ours you your yours he him his she her hers it its they them their theirs who whom
    whose which what when where why how there here am is are was were be been being do does did doing done
    have has had having can could will would shall should may might must ought need and or but nor so yet if
    then than as because while although though unless until since of in on at by for with about against
    between into through during before after above below to from up down out off over under again further per
    via within without among across toward towards onto upon along around near not no only own too very just
    also more most much many few less least lot lots several s t d ll re ve m don isn aren wasn weren doesn
    didn wouldn shouldn couldn please yes ok okay else etc one ones thing things something anything someone
    anyone somebody anybody way regarding concerning related specific specifically particular certain
    different myself yourself himself herself itself ourselves yourselves themselves dont doesnt didnt isnt arent
    wasnt werent cant couldnt wont wouldnt shouldnt havent hasnt hadnt
    """
    )
)
"""English function words; they never count as content."""

IRREGULAR: dict[str, str] = _pairs(
    """
    men:man women:woman children:child people:person persons:person wives:wife lives:life feet:foot
    teeth:tooth mice:mouse geese:goose leaves:leaf knives:knife wolves:wolf halves:half shelves:shelf
    thieves:thief written:write wrote:write writes:write sang:sing sung:sing made:make built:build born:birth
    found:find founded:found won:win went:go gone:go took:take taken:take gave:give given:give held:hold
    led:lead played:play ran:run came:come became:become began:begin begun:begin knew:know known:know
    grew:grow grown:grow fought:fight taught:teach bought:buy sold:sell told:tell said:say paid:pay met:meet
    left:leave lost:lose kept:keep drawn:draw drew:draw driven:drive drove:drive flew:fly flown:fly
    spoke:speak spoken:speak stolen:steal worn:wear shot:shoot sent:send spent:spend thought:think
    brought:bring caught:catch died:die dying:die dead:die deaths:die death:die birth:birth births:birth
    analyses:analysis criteria:criterion phenomena:phenomenon series:series species:species news:news
    politics:politics mathematics:mathematics physics:physics status:status its:its lens:lens gas:gas
    gases:gas bus:bus buses:bus yes:yes news:news united:united movies:movie aries:aries used:use using:use
    uses:use interviewing:interview string:string spring:spring king:king ring:ring thing:thing
    nothing:nothing evening:evening morning:morning building:building painting:painting wedding:wedding
    singing:sing seeing:see being:being bed:bed red:red seed:seed speed:speed need:need breed:breed feed:feed
    """
)
"""Forms that the ending rules would get wrong, mapped to the base form."""

_CARDINALS = _split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_ORDINALS = _split(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)
_TENS = _pairs("thirty:30 forty:40 fifty:50 sixty:60 seventy:70 eighty:80 ninety:90 hundred:100 thousand:1000")
NUMBER_WORDS: dict[str, str] = {
    **{word: str(number) for number, word in enumerate(_CARDINALS)},
    **{word: str(number) for number, word in enumerate(_ORDINALS, start=1)},
    **_TENS,
}
"""Spelled numbers and ordinals in digits."""

_PLACES = _split(
    """
    afghanistan:afghan albania:albanian algeria:algerian angola:angolan
    argentina:argentine,argentinian,argentinean armenia:armenian australia:australian,aussie austria:austrian
    azerbaijan:azerbaijani bahrain:bahraini bangladesh:bangladeshi barbados:barbadian belarus:belarusian
    belgium:belgian bolivia:bolivian bosnia:bosnian brazil:brazilian bulgaria:bulgarian burma:burmese,myanmar
    cambodia:cambodian cameroon:cameroonian canada:canadian chile:chilean china:chinese colombia:colombian
    congo:congolese croatia:croatian,croat cuba:cuban cyprus:cypriot czechia:czech denmark:danish,dane
    ecuador:ecuadorian egypt:egyptian england:english estonia:estonian ethiopia:ethiopian fiji:fijian
    finland:finnish,finn france:french,frenchman georgia:georgian germany:german ghana:ghanaian greece:greek
    guatemala:guatemalan guyana:guyanese haiti:haitian honduras:honduran hungary:hungarian
    iceland:icelandic,icelander india:indian indonesia:indonesian iran:iranian,persia,persian iraq:iraqi
    ireland:irish,irishman israel:israeli italy:italian jamaica:jamaican japan:japanese jordan:jordanian
    kazakhstan:kazakh kenya:kenyan korea:korean kuwait:kuwaiti latvia:latvian lebanon:lebanese libya:libyan
    lithuania:lithuanian luxembourg:luxembourgish macedonia:macedonian malaysia:malaysian malta:maltese
    mexico:mexican moldova:moldovan mongolia:mongolian morocco:moroccan namibia:namibian nepal:nepali,nepalese
    netherlands:dutch,holland,netherland zealand:zealander nicaragua:nicaraguan nigeria:nigerian
    norway:norwegian pakistan:pakistani palestine:palestinian panama:panamanian paraguay:paraguayan
    peru:peruvian philippines:philippine,filipino,filipina poland:polish,pole portugal:portuguese qatar:qatari
    romania:romanian russia:russian rwanda:rwandan scotland:scottish,scot senegal:senegalese
    serbia:serbian,serb singapore:singaporean slovakia:slovak,slovakian slovenia:slovenian,slovene
    somalia:somali spain:spanish,spaniard lanka:lankan sudan:sudanese sweden:swedish,swede switzerland:swiss
    syria:syrian taiwan:taiwanese tanzania:tanzanian thailand:thai tunisia:tunisian turkey:turkish,turk
    uganda:ugandan ukraine:ukrainian uruguay:uruguayan venezuela:venezuelan vietnam:vietnamese wales:welsh
    yemen:yemeni zambia:zambian zimbabwe:zimbabwean africa:african asia:asian europe:european bavaria:bavarian
    belgium:flemish catalonia:catalan tibet:tibetan usa:us,america,american uk:britain,british,gb ussr:soviet
    eu:eu california:californian texas:texan hawaii:hawaiian alaska:alaskan quebec:quebecois,québécois
    quebec:quebecer london:londoner paris:parisian rome:roman venice:venetian
    """
)

US_STATES: dict[str, str] = _pairs(
    """
    al:alabama ak:alaska az:arizona ar:arkansas ca:california co:colorado ct:connecticut de:delaware
    fl:florida ga:georgia hi:hawaii id:idaho il:illinois in:indiana ia:iowa ks:kansas ky:kentucky la:louisiana
    me:maine md:maryland ma:massachusetts mi:michigan mn:minnesota ms:mississippi mo:missouri mt:montana
    ne:nebraska nv:nevada nh:new_hampshire nj:new_jersey nm:new_mexico ny:new_york nc:north_carolina
    nd:north_dakota oh:ohio ok:oklahoma or:oregon pa:pennsylvania ri:rhode_island sc:south_carolina
    sd:south_dakota tn:tennessee tx:texas ut:utah vt:vermont va:virginia wa:washington wv:west_virginia
    wi:wisconsin wy:wyoming dc:district_of_columbia
    """
)
"""Postal codes of the states of the USA and their names (underscores for spaces)."""

_REGIONS = {
    "bavaria",
    "catalonia",
    "tibet",
    "california",
    "texas",
    "hawaii",
    "alaska",
    "quebec",
    "london",
    "paris",
    "rome",
    "venice",
}
COUNTRIES: frozenset[str] = (frozenset(p.split(":")[0] for p in _PLACES) | {"usa", "u.s.", "u.s", "us"}) - _REGIONS
"""Countries and parts of the world, one word each, lower case."""

_THINGS = _split(
    """
    film:movie,motion-picture tv:television,televised,telly videogame:videogames soccer:futbol
    theater:theatre,theatrical bike:bicycle plane:airplane,aeroplane auto:automobile,car
    photo:photograph,photography kid:youngster medication:medicine,drug physician:doctor attorney:lawyer
    corporation:corp,incorporated,inc limited:ltd company:co saint:st mount:mt doctor:dr university:univ
    versus:vs,v kilometer:km,kilometre meter:m,metre mile:mi january:jan february:feb march:mar april:apr
    august:aug september:sept,sep october:oct november:nov december:dec percent:pct information:info
    application:app advertisement:ad,advert mathematics:math,maths international:intl department:dept
    government:govt high-school:hs
    """
)


def _alias_table() -> dict[str, str]:
    table: dict[str, str] = {}
    for entry in (*_PLACES, *_THINGS):
        target, _, names = entry.partition(":")
        table[target] = target
        for name in names.split(","):
            table.setdefault(name, target)
    for code, name in US_STATES.items():
        # Two-letter codes that are English words ("in", "or", "me", "hi", "ok") would do harm.
        if code not in {"in", "or", "me", "hi", "ok", "id", "oh", "la", "ma", "pa", "al", "co", "de", "mo", "us", "ms"}:
            table.setdefault(code, name.replace("_", ""))
    # Short codes that are used for other things as often.
    for unwanted in ("m", "v", "car", "drug", "dr", "mi", "st", "co", "mar", "aug", "jan", "jun"):
        table.pop(unwanted, None)
    return table


ALIASES: dict[str, str] = _alias_table()
"""Other names of a thing, mapped to one of them."""

BIGRAM_ALIASES: dict[tuple[str, str], str] = {
    ("united", "stat"): "usa",
    ("united", "state"): "usa",
    ("united", "kingdom"): "uk",
    ("great", "uk"): "uk",
    ("soviet", "union"): "ussr",
    ("ussr", "union"): "ussr",
    ("video", "gam"): "videogame",
    ("video", "game"): "videogame",
    ("motion", "pictur"): "film",
    ("czechia", "republic"): "czechia",
    ("new", "york"): "newyork",
    ("new", "jersey"): "newjersey",
    ("new", "mexico"): "newmexico",
    ("new", "hampshir"): "newhampshire",
    ("new", "zealand"): "zealand",
    ("north", "carolina"): "northcarolina",
    ("south", "carolina"): "southcarolina",
    ("north", "dakota"): "northdakota",
    ("south", "dakota"): "southdakota",
    ("west", "virginia"): "westvirginia",
    ("rhod", "island"): "rhodeisland",
    ("sri", "lanka"): "lanka",
}
"""Two neighbouring keys that stand for one thing."""

OTHER_LANGUAGES: dict[str, frozenset[str]] = {
    "de": frozenset(
        _split(
            "der die das und ist nicht ein eine einen oder sie ich mit für auf dem den zu von wie was meinen"
        )
    ),
    "fr": frozenset(
        _split(
            "le la les et est un une des du de vous je ou pour dans que qui quel quelle avec sur voulez"
        )
    ),
    "es": frozenset(
        _split(
            "el la los las es un una de que usted o para en con por qué cuál sobre del se busca"
        )
    ),
    "it": frozenset(
        _split(
            "il lo la gli è un una di che o per in con del della quale cosa sul si vuole"
        )
    ),
    "pt": frozenset(
        _split(
            "os as é um uma de que ou para em com do da qual você sobre não se"
        )
    ),
    "nl": frozenset(
        _split(
            "de het een en is niet of voor met van ik wat welke over op te bedoelt"
        )
    ),
}  # fmt: skip
"""Frequent function words by language, to tell text that is not English."""
