"""Says which concepts go together: what one can eat, what can be red, what happens when.

The concepts stand in tables beside this file: ``nouns.tsv``, ``verbs.tsv``, ``adjectives.tsv``,
``times.tsv`` and ``positions.tsv``. The order of the rows, and of the words in a cell, decides what
a seed draws, so a change of it changes the corpus.

Whether a combination of a verb and its object, or of an adjective and its noun, is held out for
the test split depends on its name alone, so it is the same for every seed.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Iterator, Literal, NamedTuple, Sequence, Tuple

from fairseq_amber.demo_corpus.word_table import Words, read_table

NounTraits = Tuple[Literal["feminine", "kin", "unowned"], ...]
VerbTraits = Tuple[
    Literal[
        "of_animals",
        "report",
        "stative",
        "present_only",
        "past_only",
        "never_present",
        "indirect",
        "placed",
        "shared",
    ],
    ...,
]
AdjectiveTraits = Tuple[Literal["lasting", "comparable", "state", "of_animals"], ...]
Tenses = Tuple[Literal["present", "past", "future"], ...]
TimeTraits = Tuple[Literal["frequency", "never_first"], ...]


class Noun(NamedTuple):
    """A row of ``nouns.tsv``.

    Attributes:
        noun: the concept.
        group: the group of nouns that are used alike.
        adjectives: the adjectives that can describe it.
        traits: ``feminine``: the noun names women; ``kin``: one speaks of such a person as
            somebody's (my mother); ``unowned``: no possessive fits (German "meine Frau" is a wife).
    """

    noun: str
    group: str
    adjectives: Words
    traits: NounTraits = ()


class Verb(NamedTuple):
    """A row of ``verbs.tsv``.

    Attributes:
        verb: the concept.
        kind: ``motion`` verbs take a place to go to or to come from; ``report`` verbs take a
            that-clause.
        objects: the nouns that can be its object; ``*food`` stands for all nouns of that group.
        manners: the adverbs of manner that go with it.
        traits: ``of_animals``: animals do it too; ``report``: it takes a that-clause besides its
            objects; ``stative``: it has no English progressive; ``present_only``, ``past_only`` and
            ``never_present``: the tenses that it has; ``indirect``: its object is a dative in some
            language; ``placed``: one can say where it happens, although it has an object;
            ``shared``: one can say with whom, although it has an object.
    """

    verb: str
    kind: Literal["intransitive", "motion", "report", "transitive", "ditransitive"]
    objects: Words = ()
    manners: Words = ()
    traits: VerbTraits = ()


class Adjective(NamedTuple):
    """A row of ``adjectives.tsv``.

    Attributes:
        adjective: the concept.
        dimension: the property that it speaks of, where several adjectives share it.
        traits: ``lasting``: one can say it of the future; ``comparable``: it has a comparative;
            ``state``: it is only a predicate, of persons, and ``of_animals``: also of animals.
    """

    adjective: str
    dimension: str = ""
    traits: AdjectiveTraits = ()


class Time(NamedTuple):
    """A row of ``times.tsv``.

    Attributes:
        time: the concept.
        tenses: the tenses that it goes with; none for a frequency, which goes with every tense.
        traits: ``frequency``: it says how often; ``never_first``: it never opens a sentence.
    """

    time: str
    tenses: Tenses = ()
    traits: TimeTraits = ()


class Position(NamedTuple):
    """A row of ``positions.tsv``.

    Attributes:
        position: the concept.
        landmarks: the nouns that something can have this position to.
    """

    position: str
    landmarks: Words


_FOLDER = Path(__file__).parent
_ADJECTIVES = read_table(_FOLDER / "adjectives.tsv", Adjective)
_NOUNS = read_table(
    _FOLDER / "nouns.tsv", Noun, known={"adjectives": [row.adjective for row in _ADJECTIVES]}
)
_TIMES = read_table(_FOLDER / "times.tsv", Time)


def _group(name: str) -> Words:
    return tuple(row.noun for row in _NOUNS if row.group == name)


def _with_trait(rows: Sequence[Noun | Verb | Adjective | Time], trait: str) -> Words:
    return tuple(row[0] for row in rows if trait in row.traits)


PERSONS, ANIMALS, PLACES = _group("person"), _group("animal"), _group("place")
FOOD, MASSES = _group("food"), _group("mass")
DISHES, CLOTHES, CONTAINERS = _group("dish"), _group("clothes"), _group("container")
FURNITURE, VEHICLES, BUILDINGS = _group("furniture"), _group("vehicle"), _group("building")
READING, DEVICES, SMALL = _group("reading"), _group("device"), _group("small")
MASS = frozenset(MASSES)
PORTABLE = READING + DISHES + CONTAINERS + CLOTHES + DEVICES + SMALL + FOOD
GOODS = READING + DISHES + CONTAINERS + FURNITURE + CLOTHES + DEVICES + SMALL + FOOD + MASSES
GOODS += ("car", "bicycle", "house", "horse", "cow", "goat")
FEMININE_PERSONS = frozenset(_with_trait(_NOUNS, "feminine"))
KIN = frozenset(_with_trait(_NOUNS, "kin"))
UNOWNED = frozenset(_with_trait(_NOUNS, "unowned"))


_GROUPS = {f"*{row.group}": _group(row.group) for row in _NOUNS}
_GROUPS.update({"*goods": GOODS, "*portable": PORTABLE})
_THINGS = [row.noun for row in _NOUNS]
_VERBS = read_table(_FOLDER / "verbs.tsv", Verb, known={"objects": [*_THINGS, *_GROUPS]})
_POSITIONS = read_table(_FOLDER / "positions.tsv", Position, known={"landmarks": _THINGS})


def _expanded(words: Words) -> Iterator[str]:
    """Yields the words, and for ``*group`` the nouns of the group."""
    for word in words:
        yield from _GROUPS.get(word, (word,))


def _verbs(kind: str) -> Words:
    return tuple(row.verb for row in _VERBS if row.kind == kind)


OBJECTS = {row.verb: tuple(_expanded(row.objects)) for row in _VERBS if row.objects}
INTRANSITIVE, MOTION = _verbs("intransitive"), _verbs("motion")
TRANSITIVE, DITRANSITIVE = _verbs("transitive"), _verbs("ditransitive")
REPORTING = _verbs("report") + _with_trait(_VERBS, "report")
ANIMAL_ACTIONS = _with_trait(_VERBS, "of_animals")
INDIRECT = frozenset(_with_trait(_VERBS, "indirect"))
STATIVE = frozenset(_with_trait(_VERBS, "stative"))
PRESENT_ONLY = _with_trait(_VERBS, "present_only")
PAST_ONLY = _with_trait(_VERBS, "past_only")
NEVER_PRESENT = PAST_ONLY + _with_trait(_VERBS, "never_present")
PLACED = frozenset(_with_trait(_VERBS, "placed"))
SHARED = frozenset(_with_trait(_VERBS, "shared"))
MANNERS = {row.verb: row.manners for row in _VERBS}

TIMES = {
    tense: tuple(row.time for row in _TIMES if tense in row.tenses)
    for tense in ("present", "past", "future")
}
FREQUENT = _with_trait(_TIMES, "frequency")
FREQUENCY = frozenset(FREQUENT)
NEVER_FIRST = frozenset(_with_trait(_TIMES, "never_first"))

ADJECTIVES = {row.noun: row.adjectives for row in _NOUNS}
STATES = _with_trait(_ADJECTIVES, "state")
ANIMAL_STATES = _with_trait(_ADJECTIVES, "of_animals")
LASTING = frozenset(_with_trait(_ADJECTIVES, "lasting"))
COMPARABLE = frozenset(_with_trait(_ADJECTIVES, "comparable"))
_DIMENSION = {row.adjective: row.dimension or row.adjective for row in _ADJECTIVES}


def same_dimension(first: str, second: str) -> bool:
    """Tells whether two adjectives name the same property, so that a noun takes only one."""
    return _DIMENSION[first] == _DIMENSION[second]


POSITIONS = {row.position: row.landmarks for row in _POSITIONS}
COMPARED = (PERSONS, ANIMALS, FURNITURE, VEHICLES, CLOTHES, DEVICES, FOOD, PLACES, SMALL)
_BULKY = frozenset(FURNITURE + VEHICLES + BUILDINGS)


def fits(position: str, noun: str) -> bool:
    """Tells whether a thing can have this position to a landmark: no house stands under a table."""
    if position in ("behind", "in_front_of", "next_to"):
        return noun not in BUILDINGS
    return noun not in _BULKY and noun not in PERSONS and noun not in ("horse", "cow", "goat")


def _is_held_out(first: str, noun: str) -> bool:
    return zlib.crc32(f"{first} {noun}".encode()) % 9 == 0


def _held_out() -> Iterator[tuple[str, str]]:
    for verb, nouns in OBJECTS.items():
        yield from ((verb, noun) for noun in nouns if _is_held_out(verb, noun))
    for noun, adjectives in ADJECTIVES.items():
        yield from ((adjective, noun) for adjective in adjectives if _is_held_out(adjective, noun))


# The pairs (verb, noun of its object) and (adjective, noun) that only the test split has: those
# whose name, such as b"buy car", has a CRC-32 that is a multiple of 9.
HELD_OUT = tuple(_held_out())
