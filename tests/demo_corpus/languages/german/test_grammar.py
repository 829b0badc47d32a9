"""German sentences; the name of a meaning lists the rules that it shows in all languages."""

from __future__ import annotations

import pytest

from demo_corpus_meanings import MEANINGS
from fairseq_amber.demo_corpus.languages.german.grammar import realise
from fairseq_amber.demo_corpus.tokens import text

SENTENCES = dict(
    [
        ("present, definite object", "Der Junge liest das Buch ."),
        (
            "an before a vowel; mixed declension; place",
            "Eine Frau hat auf dem Markt einen roten Apfel gekauft .",
        ),
        ("an before the noun; time; question", "Hast du gestern einen Apfel gegessen ?"),
        ("person on the particle", "Arbeitest du jetzt ?"),
        (
            "habit: simple present, imperfective; verb of motion",
            "Das Kind geht jeden Tag in die Schule .",
        ),
        (
            "verb second after a fronted time; sein perfect; zum",
            "Am Montag ist Anna zum Bahnhof gegangen .",
        ),
        ("separable prefix; negation; aus, из, ablative", "Ich kehre nicht aus dem Wald zurück ."),
        (
            "double object; dative; indefinite next to the Turkish verb",
            "Der Mann hat dem Mädchen eine Blume gegeben .",
        ),
        ("definite before the recipient", "Die Schwester wird Maria das Bild zeigen ."),
        ("kein; mass noun; imperfective under negation", "Sie hat keine Milch getrunken ."),
        (
            "animate accusative plural after a numeral; habitual past",
            "Der Arzt hat oft zwei kluge Jungen gesehen .",
        ),
        ("numerals with genitives; plural subject", "Zwei Katzen haben fünf Schlüssel gefunden ."),
        (
            "n-declension; animate accusative; accusative of names",
            "Der Student liebt den Nachbarn , aber Elena kennt Viktor nicht .",
        ),
        ("dative verbs; one's own", "Wir helfen unserer Großmutter ."),
        ("companion: с, -le", "Das Mädchen hat mit diesem Studenten gespielt ."),
        ("companion: со before two consonants", "Die Sängerin wird mit dem Studenten singen ."),
        (
            "possessor: 's, genitive, double marking",
            "Der Gast hat das neue Fenster des Lehrers vorsichtig geöffnet .",
        ),
        (
            "subordinate that: verb last; nominalised",
            "Die Mutter weiß , dass der Bruder morgen meinen Freund anrufen wird .",
        ),
        (
            "that: separable verb joined; third person genitive",
            "Er hat gesagt , dass der Koch die Tür nicht zugemacht hat .",
        ),
        ("preterites; imperfect", "Sie dachten , dass das Haus alt war ."),
        (
            "because: short adjectives; subject dropped",
            "Die Frau hat geschlafen , weil sie krank war .",
        ),
        (
            "because: plural dropped; negated",
            "Diese Gäste weinen , weil sie nicht glücklich sind .",
        ),
        ("quality in the present; weak declension", "Das blaue Fahrrad ist billig ."),
        (
            "quality in the past: instrumental; fronted vowels against the last",
            "Dein Vater war beschäftigt .",
        ),
        ("future of be; plural in the instrumental", "Die Orangen werden teuer sein ."),
        ("comparison", "Diese Stadt ist größer als unser Dorf ."),
        ("comparison with more; old of the living", "War der Großvater älter als das Pferd ?"),
        (
            "position: dative, instrumental, possessed postposition",
            "Der Hund ist unter dem großen Tisch .",
        ),
        ("position in the past; im; шкафу", "Mein Mantel war im Schrank ."),
        ("being at a place; negated; genitive plural", "Wir sind nicht im Garten ."),
        ("want: infinitive last; perfective", "Der Fahrer will heute ein altes Auto reparieren ."),
        ("must: gender, person", "Ich muss weiße Hemden waschen ."),
        (
            "pronoun objects; and",
            "Ich habe sie letzte Woche besucht und der Bauer wartet auf dich .",
        ),
    ]
)


@pytest.mark.parametrize("rules", MEANINGS)
def test_sentences(rules):
    assert text(realise(MEANINGS[rules])) == SENTENCES[rules]
