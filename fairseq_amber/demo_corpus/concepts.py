"""Which concepts go together: what can be eaten, what can be red, what happens when.

Whether a combination of a verb and its object, or of an adjective and its noun, is held out for
the test split depends on its name alone, so it is the same for every seed.
"""

from __future__ import annotations

import zlib
from typing import Iterator

PERSONS = tuple(
    "man woman boy girl child teacher doctor student neighbour friend mother father sister "
    "brother grandmother grandfather farmer painter cook driver singer guest".split()
)
FEMININE_PERSONS = frozenset("woman girl mother sister grandmother singer".split())
# one speaks of a mother as somebody's
KIN = frozenset("mother father sister brother grandmother grandfather".split())
UNOWNED = frozenset(("man", "woman", "boy", "girl"))  # "meine Frau" is a wife, "kızım" a daughter
ANIMALS = tuple("dog cat horse cow bird rabbit mouse goat".split())

READABLE = ("book", "newspaper", "letter")
DISHES = ("cup", "plate", "bottle")
CONTAINERS = ("basket", "bag", "box")
FURNITURE = ("table", "chair", "bed", "cupboard", "lamp", "carpet")
VEHICLES = ("car", "bicycle", "bus", "train", "ship")
CLOTHES = ("coat", "shirt", "hat", "dress")
DEVICES = ("phone", "computer", "camera")
BUILDINGS = ("door", "window", "house")
SMALL = tuple("key flower umbrella gift map knife ball guitar picture".split())
FOOD = ("apple", "orange", "lemon", "tomato", "egg", "cake")
MASSES = ("bread", "cheese", "soup", "water", "milk", "tea", "coffee")
MASS = frozenset(MASSES)
PLACES = tuple(
    "city village park school station market garden hospital shop kitchen library museum "
    "restaurant office forest hotel street theatre factory".split()
)
GOODS = READABLE + DISHES + CONTAINERS + FURNITURE + CLOTHES + DEVICES + SMALL + FOOD + MASSES
GOODS += ("car", "bicycle", "house", "horse", "cow", "goat")
PORTABLE = READABLE + DISHES + CONTAINERS + CLOTHES + DEVICES + SMALL + FOOD

INTRANSITIVE = tuple("sleep work laugh sing dance swim play run cry".split())
ANIMAL_ACTIONS = ("sleep", "swim", "play", "run", "see", "hear")

OBJECTS: dict[str, tuple[str, ...]] = {
    "read": READABLE + ("map",),
    "write": ("book", "letter"),
    "buy": GOODS,
    "sell": GOODS,
    "see": PERSONS + ANIMALS + VEHICLES + BUILDINGS + FURNITURE + CLOTHES + SMALL + DISHES,
    "look_for": PERSONS + ANIMALS + PORTABLE + ("car", "bicycle", "bus"),
    "find": ANIMALS + PORTABLE + ("car", "bicycle"),
    "wash": DISHES + CLOTHES + FOOD[:4] + ("car", "bicycle", "window", "dog", "horse", "carpet"),
    "open": DISHES[2:] + CONTAINERS[1:] + ("door", "window", "letter", "cupboard", "gift"),
    "close": DISHES[2:] + CONTAINERS[1:] + ("door", "window", "book", "cupboard", "umbrella"),
    "clean": FURNITURE + VEHICLES + CLOTHES + BUILDINGS + ("bag", "camera", "computer", "picture"),
    "eat": FOOD + ("bread", "cheese", "soup"),
    "drink": ("water", "milk", "tea", "coffee"),
    "cook": ("soup", "egg", "tomato"),
    "draw": ANIMALS + ("house", "flower", "ship", "car", "train", "map", "picture"),
    "repair": VEHICLES + FURNITURE[:5] + DEVICES + ("door", "window", "umbrella", "guitar"),
    "love": PERSONS,
    "know": PERSONS,
    "visit": PERSONS,
    "help": PERSONS,
    "call": PERSONS,
    "wait_for": PERSONS + ("bus", "train", "ship", "letter"),
    "take": PORTABLE,
    "carry": PORTABLE + FURNITURE,
    "forget": READABLE + CONTAINERS + CLOTHES + DEVICES + SMALL,
    "lose": CLOTHES + DEVICES + ("bag", "key", "letter", "map", "umbrella", "ball", "knife"),
    "hear": PERSONS + ANIMALS + ("car", "train", "bus", "phone", "guitar"),
    "break": DISHES + ("window", "lamp", "chair", "egg", "guitar", "camera"),
    "steal": VEHICLES[:2] + DEVICES + ("bag", "key", "picture", "horse", "gift", "hat"),
    "give": PORTABLE + MASSES + ("dog", "cat", "rabbit"),
    "show": PORTABLE + FURNITURE + VEHICLES[:2] + ANIMALS + ("house",),
    "bring": PORTABLE + MASSES + ("chair", "lamp"),
    "send": READABLE + CLOTHES + DEVICES + ("flower", "gift", "map", "picture", "key", "cake"),
}
DITRANSITIVE = ("give", "show", "bring", "send")
TRANSITIVE = tuple(verb for verb in OBJECTS if verb not in DITRANSITIVE)
INDIRECT = frozenset(("help", "call"))  # their objects are datives in some language
MATRIX = ("know_that", "say", "think", "hear")  # what takes a that-clause
STATIVE = frozenset("see love know hear know_that think say".split())  # no English progressive
PRESENT_ONLY = frozenset(("love", "know"))
PAST_ONLY = frozenset(("forget", "lose", "break", "steal"))
NEVER_PRESENT = PAST_ONLY | {"find"}
# transitive verbs of which one may say where it happens
PLACED = frozenset(
    "read write buy sell see look_for find eat drink draw wait_for forget lose hear give show "
    "help call".split()
)
SHARED = frozenset(("eat", "drink", "cook"))  # and of which, with whom

MANNERS: dict[str, frozenset[str]] = {
    "slowly": frozenset("eat drink write read run swim work open".split()),
    "quickly": frozenset("eat drink write read run swim work wash clean repair cook".split()),
    "quietly": frozenset("sing laugh cry play work".split()),
    "carefully": frozenset("open close carry wash clean repair draw".split()),
}

TIMES: dict[str, tuple[str, ...]] = {
    "present": ("now", "today"),
    "past": ("yesterday", "last_week", "monday", "friday", "morning", "evening"),
    "future": ("tomorrow", "next_week", "soon", "monday", "friday", "morning", "evening"),
}
FREQUENT = ("often", "always", "every_day", "sometimes", "rarely")
FREQUENCY = frozenset(FREQUENT)
NEVER_FIRST = frozenset(("often", "always", "rarely"))

_THING = ("new", "old", "big", "small", "beautiful", "expensive", "cheap")
_COLOURS = ("red", "green", "blue", "white", "black", "yellow")
_MEALS = ("fresh", "hot", "cold", "expensive", "cheap")


def _adjectives() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for noun in PERSONS:
        table[noun] = ("young", "old", "clever", "strong", "famous", "rich", "poor", "brave")
    for noun in ("boy", "girl", "child"):
        table[noun] = table[noun][2:]
    for noun in ANIMALS:
        table[noun] = ("young", "old", "big", "small", "black", "white", "clever", "strong")
    for noun in PLACES:
        table[noun] = ("new", "old", "big", "small", "beautiful", "famous", "quiet")
    for noun in FOOD:
        table[noun] = ("fresh", "big", "small", "cheap", "expensive")
    for noun in MASSES:
        table[noun] = _MEALS
    for noun in ("apple", "tomato"):
        table[noun] += ("red", "green")
    table["lemon"] += ("yellow", "green")
    for noun in READABLE:
        table[noun] = ("new", "old", "long")
    table["book"] += ("expensive", "cheap", "heavy", "beautiful")
    for noun in DISHES + CLOTHES:
        table[noun] = _THING + _COLOURS
    for noun in CONTAINERS + FURNITURE:
        table[noun] = _THING + _COLOURS + ("heavy", "light")
    for noun in VEHICLES + BUILDINGS:
        table[noun] = _THING + _COLOURS
    for noun in DEVICES:
        table[noun] = _THING + ("heavy", "light", "black", "white")
    for noun in SMALL:
        table[noun] = _THING
    for noun in ("flower", "umbrella", "ball"):
        table[noun] = ("big", "small", "beautiful") + _COLOURS
    table["knife"] = table["key"] = ("new", "old", "big", "small", "heavy")
    return table


ADJECTIVES = _adjectives()
STATES = ("ill", "healthy", "happy", "hungry", "busy")  # of persons, as predicates only
ANIMAL_STATES = ("ill", "healthy", "hungry")
LASTING = ("expensive", "cheap", "beautiful", "famous")  # what one can say of the future
COMPARABLE = frozenset(
    "big small new old young beautiful expensive cheap heavy light strong clever rich poor "
    "famous quiet".split()
)
_DIMENSIONS = (
    ("big", "small"),
    ("new", "old", "young"),
    _COLOURS,
    ("expensive", "cheap"),
    ("heavy", "light"),
    ("rich", "poor"),
    ("hot", "cold"),
)
_DIMENSION = {adjective: words[0] for words in _DIMENSIONS for adjective in words}


def same_dimension(first: str, second: str) -> bool:
    """Whether two adjectives speak of the same property, so that one noun takes one of them."""
    return _DIMENSION.get(first, first) == _DIMENSION.get(second, second)


POSITIONS = {  # relation -> what can be there
    "on": ("table", "chair", "bed", "cupboard", "box", "carpet"),
    "under": ("table", "chair", "bed", "cupboard", "umbrella", "carpet"),
    "behind": ("table", "cupboard", "house", "door", "car", "bus"),
    "in_front_of": ("house", "door", "car", "window", "bus", "train"),
    "next_to": ("table", "bed", "house", "door", "window", "car", "lamp"),
    "in": ("box", "basket", "bag", "cupboard", "house", "car", "bus", "train"),
}
COMPARED = (PERSONS, ANIMALS, FURNITURE, VEHICLES, CLOTHES, DEVICES, FOOD, PLACES, SMALL)
_BULKY = frozenset(FURNITURE + VEHICLES + BUILDINGS)


def fits(relation: str, noun: str) -> bool:
    """Whether a thing can stand in the relation to a landmark: no house under a table."""
    if relation in ("behind", "in_front_of", "next_to"):
        return noun not in BUILDINGS
    return noun not in _BULKY and noun not in PERSONS and noun not in ("horse", "cow", "goat")


def _is_held_out(first: str, noun: str) -> bool:
    return zlib.crc32(f"{first} {noun}".encode()) % 9 == 0


def _held_out() -> Iterator[tuple[str, str]]:
    for verb, nouns in OBJECTS.items():
        yield from ((verb, noun) for noun in nouns if _is_held_out(verb, noun))
    for noun, adjectives in ADJECTIVES.items():
        yield from ((adjective, noun) for adjective in adjectives if _is_held_out(adjective, noun))


# (verb, noun of its object) and (adjective, noun) pairs of the test split alone: those whose name,
# such as b"buy car", has a CRC-32 that is a multiple of 9
HELD_OUT = tuple(_held_out())
