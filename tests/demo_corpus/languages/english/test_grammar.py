"""English sentences; the name of a meaning lists the rules that it shows in all languages."""

from __future__ import annotations

import pytest

from demo_corpus_meanings import MEANINGS
from fairseq_amber.demo_corpus.languages.english.grammar import realise
from fairseq_amber.demo_corpus.tokens import text

SENTENCES = dict(
    [
        ("present, definite object", "The boy is reading the book ."),
        (
            "an before a vowel; mixed declension; place",
            "A woman bought a red apple at the market .",
        ),
        ("an before the noun; time; question", "Did you eat an apple yesterday ?"),
        ("person on the particle", "Are you working now ?"),
        (
            "habit: simple present, imperfective; verb of motion",
            "The child goes to the school every day .",
        ),
        (
            "verb second after a fronted time; sein perfect; zum",
            "On Monday Anna went to the station .",
        ),
        ("separable prefix; negation; aus, из, ablative", "I am not returning from the forest ."),
        (
            "double object; dative; indefinite next to the Turkish verb",
            "The man gave the girl a flower .",
        ),
        ("definite before the recipient", "The sister will show the picture to Maria ."),
        ("kein; mass noun; imperfective under negation", "She did not drink milk ."),
        (
            "animate accusative plural after a numeral; habitual past",
            "The doctor often saw two clever boys .",
        ),
        ("numerals with genitives; plural subject", "Two cats found five keys ."),
        (
            "n-declension; animate accusative; accusative of names",
            "The student loves the neighbour , but Elena does not know Viktor .",
        ),
        ("dative verbs; one's own", "We are helping our grandmother ."),
        ("companion: с, -le", "The girl played with this student ."),
        ("companion: со before two consonants", "The singer will sing with the student ."),
        (
            "possessor: 's, genitive, double marking",
            "The guest opened the teacher 's new window carefully .",
        ),
        (
            "subordinate that: verb last; nominalised",
            "The mother knows that the brother will call my friend tomorrow .",
        ),
        (
            "that: separable verb joined; third person genitive",
            "He said that the cook did not close the door .",
        ),
        ("preterites; imperfect", "They thought that the house was old ."),
        ("because: short adjectives; subject dropped", "The woman slept because she was ill ."),
        (
            "because: plural dropped; negated",
            "These guests are crying because they are not happy .",
        ),
        ("quality in the present; weak declension", "The blue bicycle is cheap ."),
        (
            "quality in the past: instrumental; fronted vowels against the last",
            "Your father was busy .",
        ),
        ("future of be; plural in the instrumental", "The oranges will be expensive ."),
        ("comparison", "This city is bigger than our village ."),
        ("comparison with more; old of the living", "Was the grandfather older than the horse ?"),
        (
            "position: dative, instrumental, possessed postposition",
            "The dog is under the big table .",
        ),
        ("position in the past; im; шкафу", "My coat was in the cupboard ."),
        ("being at a place; negated; genitive plural", "We are not in the garden ."),
        ("want: infinitive last; perfective", "The driver wants to repair an old car today ."),
        ("must: gender, person", "I must wash white shirts ."),
        ("pronoun objects; and", "I visited them last week and the farmer is waiting for you ."),
    ]
)


@pytest.mark.parametrize("rules", MEANINGS)
def test_sentences(rules):
    assert text(realise(MEANINGS[rules])) == SENTENCES[rules]
