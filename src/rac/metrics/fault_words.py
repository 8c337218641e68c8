"""Sibling words for controlled faults: things of one class, of which one may stand for another."""

from __future__ import annotations


def _list(text: str) -> tuple[str, ...]:
    """Read a list with commas."""
    return tuple(" ".join(item.split()) for item in text.split(","))


SIBLINGS: tuple[tuple[str, ...], ...] = (
    _list(
        "actor, writer, director, producer, composer, singer, musician, painter, photographer, politician, "
        "lawyer, engineer, architect, chemist, historian, journalist, novelist, poet, footballer, boxer, "
        "wrestler, cricketer, swimmer, cyclist, businessman, soldier, bishop, philosopher, mathematician, "
        "economist, physician, sculptor, screenwriter, dancer, comedian, guitarist, drummer, pianist, rapper,"
        " model, judge, chef, explorer, astronaut"
    ),
    _list("actress, dancer, novelist, swimmer, designer, journalist"),
    _list(
        "film, novel, album, song, painting, opera, ballet, poem, magazine, newspaper, musical, documentary, "
        "sculpture, symphony, comic, book, play"
    ),
    _list(
        "city, village, river, lake, mountain, island, valley, desert, forest, bay, bridge, tower, castle, "
        "cathedral, museum, stadium, airport, railway station, theatre, library, hospital, hotel, lighthouse,"
        " canal, tunnel, park, church, mosque, temple, monastery"
    ),
    _list("high school, elementary school, middle school, university, kindergarten, seminary, music school"),
    _list(
        "company, charity, political party, trade union, newspaper publisher, record label, airline, bank, "
        "football club, rugby club, orchestra, rock band, choir"
    ),
    _list(
        "football player, basketball player, baseball player, hockey player, tennis player, golf player, rugby player"
    ),
    _list(
        "football team, basketball team, baseball team, hockey team, volleyball team, wrestling team, rugby "
        "team, lacrosse team"
    ),
    _list("theater production, radio production, film production, opera production, ballet production"),
    _list("video game, board game, card game, arcade game"),
    _list("studio album, live album, compilation album, soundtrack album"),
    _list("television series, radio series, comic series, book series"),
    _list("software, hardware, programming language, operating system"),
    _list("horse, dog, whale, bird, beetle, fish, snake, orchid, tree, fern, fungus"),
    _list("award-winning work, adapted work, translated work, unfinished work"),
    _list("fictional character, historical figure, cartoon character, mythological figure"),
    _list("planet, moon, star, comet, asteroid, galaxy, crater"),
    _list("king, queen, emperor, president, prime minister, general, admiral, pope, saint"),
    _list("disease, vaccine, surgery, medication, diet"),
    _list("battle, treaty, election, earthquake, hurricane, festival, strike, revolution"),
)
"""Classes; a word may be in several."""

CITIES: tuple[str, ...] = _list(
    "Oslo, Lisbon, Nairobi, Chicago, Dallas, Denver, Seattle, Boston, Phoenix, Toronto, Montreal, Vancouver, "
    "Sydney, Melbourne, Auckland, Mumbai, Delhi, Karachi, Tokyo, Osaka, Seoul, Beijing, Shanghai, Manila, "
    "Jakarta, Cairo, Lagos, Accra, Casablanca, Madrid, Barcelona, Valencia, Porto, Dublin, Cork, Glasgow, "
    "Edinburgh, Leeds, Bristol, Cardiff, Antwerp, Rotterdam, Hamburg, Munich, Dresden, Vienna, Graz, Zurich, "
    "Geneva, Milan, Turin, Naples, Athens, Istanbul, Ankara, Warsaw, Krakow, Prague, Brno, Budapest, "
    "Bucharest, Sofia, Belgrade, Zagreb, Kyiv, Odessa, Moscow, Helsinki, Stockholm, Gothenburg, Copenhagen, "
    "Aarhus, Bergen, Reykjavik, Lima, Bogota, Quito, Santiago, Cordoba, Montevideo, Brasilia, Recife, Havana, "
    "Kingston, Panama City, Tampa, Omaha, Tulsa, Memphis, Nashville, Portland"
)

COUNTRY_NAMES: tuple[str, ...] = _list(
    "Norway, Portugal, Kenya, Chile, Peru, Japan, India, Egypt, Poland, Ireland, Brazil, Mexico, Canada, "
    "Australia, Greece, Turkey, Vietnam, Thailand, Nigeria, Ghana, Morocco, Cuba, Iceland, Finland, Denmark, "
    "Sweden, Austria, Hungary, Romania, Bulgaria, Croatia, Serbia, Ukraine, Russia, China, Indonesia, "
    "Malaysia, Pakistan, Iran, Iraq, Israel, Spain, France, Italy, Germany, Belgium"
)

DEMONYMS: tuple[str, ...] = _list(
    "Norwegian, Portuguese, Kenyan, Chilean, Peruvian, Japanese, Indian, Egyptian, Polish, Irish, Brazilian, "
    "Mexican, Canadian, Australian, Greek, Turkish, Vietnamese, Thai, Nigerian, Ghanaian, Moroccan, Cuban, "
    "Icelandic, Finnish, Danish, Swedish, Austrian, Hungarian, Romanian, Bulgarian, Croatian, Serbian, "
    "Ukrainian, Russian, Chinese, Indonesian, Malaysian, Pakistani, Iranian, Iraqi, Israeli, Spanish, French, "
    "Italian, German, American, British, English, Scottish, Welsh, Dutch, Swiss, Belgian, Czech, Korean"
)

STATES: tuple[str, ...] = _list(
    "Alabama, Alaska, Arizona, Arkansas, California, Colorado, Connecticut, Delaware, Florida, Georgia, "
    "Hawaii, Idaho, Illinois, Indiana, Iowa, Kansas, Kentucky, Louisiana, Maine, Maryland, Massachusetts, "
    "Michigan, Minnesota, Mississippi, Missouri, Montana, Nebraska, Nevada, Ohio, Oklahoma, Oregon, "
    "Pennsylvania, Tennessee, Texas, Utah, Vermont, Virginia, Wisconsin, Wyoming"
)

PEOPLE: tuple[str, ...] = _list(
    "Anna Keller, Peter Novak, Maria Lindgren, Thomas Okafor, Laura Bianchi, David Hoffmann, Elena Petrova, "
    "James Whitfield, Clara Jensen, Robert Ashworth, Nina Castellano, Samuel Brandt, Ruth Adeyemi, Victor "
    "Lang, Helen Marsh, Paul Dubois, Irene Kovacs, Martin Sandoval, Julia Bergstrom, Oscar Fielding"
)
"""Invented names of people."""
