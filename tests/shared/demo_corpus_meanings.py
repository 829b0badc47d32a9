"""Meanings that show rules of grammar; the tests of each language expect its sentence for each."""

from __future__ import annotations

from fairseq_amber.demo_corpus.meaning import Clause, NounPhrase, Sentence


def the(noun, adjective="", **features):
    return NounPhrase(noun, "definite", adjective=adjective, **features)


def a(noun, adjective=""):
    return NounPhrase(noun, "indefinite", adjective=adjective)


def some(noun, adjective="", plural=True):
    return NounPhrase(noun, "", plural, adjective)


def det(determiner, noun, adjective="", plural=False):
    return NounPhrase(noun, determiner, plural, adjective)


def pronoun(noun, feminine=False):
    return NounPhrase(noun, "", feminine=feminine)


def name(noun):
    return NounPhrase(noun, "")


def do(verb, subject, thing=None, **features):
    return Clause("action", verb, subject, object=thing, **features)


def is_(adjective, subject, **features):
    return Clause("quality", adjective, subject, **features)


PAST, FUTURE = {"tense": "past"}, {"tense": "future"}

# the rules that a meaning shows -> the meaning
MEANINGS = {
    "present, definite object": Sentence(do("read", the("boy"), the("book"))),
    "an before a vowel; mixed declension; place": Sentence(
        do("buy", a("woman"), a("apple", "red"), place=the("market"), **PAST)
    ),
    "an before the noun; time; question": Sentence(
        do("eat", pronoun("you"), a("apple"), time="yesterday", **PAST), question=True
    ),
    "person on the particle": Sentence(do("work", pronoun("you"), time="now"), question=True),
    "habit: simple present, imperfective; verb of motion": Sentence(
        do("go", the("child"), time="every_day", place=the("school"), direction="to")
    ),
    "verb second after a fronted time; sein perfect; zum": Sentence(
        do(
            "go",
            name("Anna"),
            time="monday",
            fronted=True,
            place=the("station"),
            direction="to",
            **PAST,
        )
    ),
    "separable prefix; negation; aus, из, ablative": Sentence(
        do("return", pronoun("I", True), place=the("forest"), direction="from", negated=True)
    ),
    "double object; dative; indefinite next to the Turkish verb": Sentence(
        do("give", the("man"), a("flower"), recipient=the("girl"), **PAST)
    ),
    "definite before the recipient": Sentence(
        do("show", the("sister"), the("picture"), recipient=name("Maria"), **FUTURE)
    ),
    "kein; mass noun; imperfective under negation": Sentence(
        do("drink", pronoun("she"), some("milk", plural=False), negated=True, **PAST)
    ),
    "animate accusative plural after a numeral; habitual past": Sentence(
        do("see", the("doctor"), NounPhrase("boy", "two", True, "clever"), time="often", **PAST)
    ),
    "numerals with genitives; plural subject": Sentence(
        do("find", NounPhrase("cat", "two", True), NounPhrase("key", "five", True), **PAST)
    ),
    "n-declension; animate accusative; accusative of names": Sentence(
        do("love", the("student"), the("neighbour")),
        join="but",
        second=do("know", name("Elena"), name("Viktor"), negated=True),
    ),
    "dative verbs; one's own": Sentence(do("help", pronoun("we"), det("our", "grandmother"))),
    "companion: с, -le": Sentence(
        do("play", the("girl"), companion=det("this", "student"), **PAST)
    ),
    "companion: со before two consonants": Sentence(
        do("sing", the("singer"), companion=the("student"), **FUTURE)
    ),
    "possessor: 's, genitive, double marking": Sentence(
        do(
            "open",
            the("guest"),
            NounPhrase("window", "of", possessor="teacher", adjective="new"),
            manner="carefully",
            **PAST,
        )
    ),
    "subordinate that: verb last; nominalised": Sentence(
        do("know_that", the("mother")),
        join="that",
        second=do("call", the("brother"), det("my", "friend"), time="tomorrow", **FUTURE),
    ),
    "that: separable verb joined; third person genitive": Sentence(
        do("say", pronoun("he"), **PAST),
        join="that",
        second=do("close", the("cook"), the("door"), negated=True, **PAST),
    ),
    "preterites; imperfect": Sentence(
        do("think", pronoun("they"), **PAST),
        join="that",
        second=is_("old", the("house"), **PAST),
    ),
    "because: short adjectives; subject dropped": Sentence(
        do("sleep", the("woman"), **PAST),
        join="because",
        second=is_("ill", pronoun("she"), **PAST),
    ),
    "because: plural dropped; negated": Sentence(
        do("cry", det("this", "guest", plural=True)),
        join="because",
        second=is_("happy", pronoun("they"), negated=True),
    ),
    "quality in the present; weak declension": Sentence(is_("cheap", the("bicycle", "blue"))),
    "quality in the past: instrumental; fronted vowels against the last": Sentence(
        is_("busy", det("your", "father"), **PAST)
    ),
    "future of be; plural in the instrumental": Sentence(
        is_("expensive", the("orange", plural=True), **FUTURE)
    ),
    "comparison": Sentence(
        Clause("comparison", "big", det("this", "city"), object=NounPhrase("village", "our"))
    ),
    "comparison with more; old of the living": Sentence(
        Clause("comparison", "old", the("grandfather"), object=the("horse"), **PAST),
        question=True,
    ),
    "position: dative, instrumental, possessed postposition": Sentence(
        Clause("position", "under", the("dog"), object=the("table", "big"))
    ),
    "position in the past; im; шкафу": Sentence(
        Clause("position", "in", det("my", "coat"), object=the("cupboard"), **PAST)
    ),
    "being at a place; negated; genitive plural": Sentence(
        Clause("position", "at", pronoun("we"), place=the("garden"), negated=True)
    ),
    "want: infinitive last; perfective": Sentence(
        do("repair", the("driver"), a("car", "old"), modal="want", time="today")
    ),
    "must: gender, person": Sentence(
        do("wash", pronoun("I", True), some("shirt", "white"), modal="must")
    ),
    "pronoun objects; and": Sentence(
        do("visit", pronoun("I"), pronoun("they"), time="last_week", **PAST),
        join="and",
        second=do("wait_for", the("farmer"), pronoun("you")),
    ),
}
