"""The concepts: groups of nouns, what goes with what, and what is held out."""

from __future__ import annotations

import zlib

from fairseq_amber.demo_corpus import concepts


def test_groups_keep_the_order_of_the_table():
    assert concepts.ANIMALS == ("dog", "cat", "horse", "cow", "bird", "rabbit", "mouse", "goat")
    assert concepts.READING == ("book", "newspaper", "letter")


def test_a_group_stands_for_its_nouns():
    assert concepts.OBJECTS["read"] == ("book", "newspaper", "letter", "map")
    assert concepts.OBJECTS["buy"] == concepts.GOODS
    nouns = set(concepts.ADJECTIVES)
    assert all(nouns.issuperset(objects) for objects in concepts.OBJECTS.values())


def test_verbs():
    assert concepts.REPORTING == ("know_that", "say", "think", "hear")
    assert concepts.ANIMAL_ACTIONS == ("sleep", "swim", "play", "run", "see", "hear")
    assert concepts.DITRANSITIVE == ("give", "show", "bring", "send")
    assert concepts.MANNERS["run"] == ("slowly", "quickly")
    assert set(concepts.NEVER_PRESENT) == {"forget", "lose", "break", "steal", "find"}


def test_times():
    assert concepts.TIMES["present"] == ("now", "today")
    assert concepts.TIMES["future"][:3] == ("tomorrow", "next_week", "soon")
    assert concepts.NEVER_FIRST < concepts.FREQUENCY == set(concepts.FREQUENT)


def test_same_dimension():
    assert concepts.same_dimension("new", "young")
    assert concepts.same_dimension("red", "yellow")
    assert concepts.same_dimension("brave", "brave")
    assert not concepts.same_dimension("brave", "clever")


def test_fits():
    assert concepts.fits("behind", "car") and not concepts.fits("behind", "house")
    assert concepts.fits("under", "cat") and not concepts.fits("under", "horse")


def test_held_out_combinations_depend_on_their_names():
    combinations = [(verb, noun) for verb, nouns in concepts.OBJECTS.items() for noun in nouns]
    combinations += [
        (adjective, noun)
        for noun, adjectives in concepts.ADJECTIVES.items()
        for adjective in adjectives
    ]
    expected = [pair for pair in combinations if zlib.crc32(" ".join(pair).encode()) % 9 == 0]
    assert list(concepts.HELD_OUT) == expected
    assert 0.08 < len(expected) / len(combinations) < 0.15
