"""Writes English sentences: subject, auxiliary, verb, objects, place, time."""

from __future__ import annotations

from fairseq_amber.demo_corpus.concepts import FREQUENCY, STATIVE
from fairseq_amber.demo_corpus.languages.english import lexicon
from fairseq_amber.demo_corpus.meaning import Clause, NounPhrase, Sentence
from fairseq_amber.demo_corpus.tokens import Token, Tokens, adverbial, finish

_BE = {"I": ("am", "was"), "sg": ("is", "was"), "pl": ("are", "were")}  # present, past
_DIRECTIONS = {"to": "to", "from": "from"}
_BEFORE_VERB = frozenset(("often", "always", "sometimes", "rarely"))


def realise(sentence: Sentence) -> Tokens:
    """Writes a meaning as tokens, each with its units of meaning."""
    tokens = _clause(sentence.clause, "A", sentence.question)
    if sentence.second is not None:
        if sentence.join == "but":
            tokens.append(Token(",", (",",)))
        tokens.append(Token(sentence.join, ("join",)))
        tokens += _clause(sentence.second, "B")
    return finish(tokens, sentence.question, tokens[0].text[0].upper())


def noun_phrase(phrase: NounPhrase, unit: str, is_subject: bool = False) -> Tokens:
    """Writes determiner, adjective and noun, or a name or a pronoun."""
    if phrase.is_pronoun:
        pronoun = lexicon.PRONOUNS[phrase.noun]
        return [Token(pronoun.subject if is_subject else pronoun.object, (unit + "n",))]
    noun = Token(phrase.noun, (unit + "n",))
    if phrase.is_name:
        return [noun]
    if phrase.plural:
        noun = noun._replace(text=lexicon.NOUNS[phrase.noun].plural)
    tokens: Tokens = []
    if phrase.determiner == "of":
        tokens.append(Token("the", (unit + "od",)))
        tokens.append(Token(phrase.possessor, (unit + "on",)))
        # a possessor makes the phrase definite, as an article does in other languages
        tokens.append(Token("'s", (unit + "og",), (unit + "d",)))
    elif phrase.determiner:
        tokens.append(Token(_determiner(phrase), (unit + "d",)))
    if phrase.adjective:
        tokens.append(Token(phrase.adjective, (unit + "a",)))
    tokens.append(noun)
    return tokens


def _determiner(phrase: NounPhrase) -> str:
    if phrase.determiner == "definite":
        return "the"
    if phrase.determiner == "indefinite":
        return "an" if (phrase.adjective or phrase.noun)[0] in "aeiou" else "a"
    if phrase.determiner == "this":
        return "these" if phrase.plural else "this"
    return phrase.determiner


def _clause(clause: Clause, unit: str, question: bool = False) -> Tokens:
    subject = noun_phrase(clause.subject, unit + "s", is_subject=True)
    auxiliary, verb = _verb(clause, unit, question)
    time = adverbial(lexicon.TIMES[clause.time], unit + "t") if clause.time else []
    before_verb = time if clause.time in _BEFORE_VERB and not clause.fronted else []
    negation = [Token("not", (unit + "!",))] if clause.negated else []
    start = [auxiliary] if auxiliary else []
    tokens = start + subject if question else subject + start
    tokens += negation + before_verb + verb + _complements(clause, unit)
    if clause.manner:
        tokens.append(Token(clause.manner, (unit + "m",)))
    if clause.companion:
        tokens.append(Token("with", (unit + "cp",)))
        tokens += noun_phrase(clause.companion, unit + "c")
    if clause.place:
        tokens.append(Token(_preposition(clause), (unit + "lp",)))
        tokens += noun_phrase(clause.place, unit + "l")
    if clause.fronted:
        return time + tokens
    return tokens if before_verb else tokens + time


def _preposition(clause: Clause) -> str:
    assert clause.place is not None
    at_place = lexicon.NOUNS[clause.place.noun].place_preposition
    return _DIRECTIONS.get(clause.direction, at_place)


def _agreement(subject: NounPhrase) -> str:
    """Returns "I", "sg" or "pl": the form of "be" that the subject takes."""
    if subject.noun == "I":
        return "I"
    return "pl" if subject.plural or subject.noun in ("you", "we", "they") else "sg"


def _verb(clause: Clause, unit: str, question: bool) -> tuple[Token | None, Tokens]:
    """Returns the auxiliary, if there is one, and the verbs that follow the subject."""
    agreement = _agreement(clause.subject)
    tense = (unit + "T",)
    if clause.kind != "action":
        copula = (unit + "C",)
        if clause.tense == "future":
            return Token("will", tense), [Token("be", copula)]
        return Token(_BE[agreement][clause.tense == "past"], copula), []
    verb = lexicon.VERBS[clause.predicate]
    sure = (unit + "V",)
    rest: Tokens = []
    if clause.modal == "must":
        return Token("must", (unit + "M",)), [Token(verb.base, sure)]
    if clause.modal == "want":
        rest = [Token("to", (unit + "I",)), Token(verb.base, sure)]
        verb = lexicon.VERBS["want"]
        sure = (unit + "M",)
    if clause.tense == "future":
        return Token("will", tense), [Token(verb.base, sure), *rest]
    if clause.tense == "past":
        if clause.negated or question:
            return Token("did", tense), [Token(verb.base, sure), *rest]
        return None, [Token(verb.past, sure, tense), *rest]
    is_state = clause.predicate in STATIVE or clause.modal == "want"
    if not is_state and clause.time not in FREQUENCY:
        return Token(_BE[agreement][0], tense), [Token(verb.present_participle, sure), *rest]
    if clause.negated or question:
        return Token("does" if agreement == "sg" else "do", tense), [Token(verb.base, sure), *rest]
    form = verb.third_person if agreement == "sg" else verb.base
    return None, [Token(form, sure, tense), *rest]


def _complements(clause: Clause, unit: str) -> Tokens:
    """Writes the objects of a verb, or what follows "be"."""
    if clause.kind == "quality":
        return [Token(clause.predicate, (unit + "A",))]
    thing = noun_phrase(clause.object, unit + "o") if clause.object else []
    if clause.kind == "comparison":
        words = lexicon.COMPARATIVES[clause.predicate].split()
        degree = [Token(word, (unit + "D",)) for word in words[:-1]]
        quality = Token(words[-1], (unit + "A",), () if degree else (unit + "D",))
        return [*degree, quality, Token("than", (unit + "P",)), *thing]
    if clause.kind == "position":
        if clause.predicate == "at":
            return []
        return adverbial(lexicon.POSITIONS[clause.predicate], unit + "P") + thing
    preposition = lexicon.VERBS[clause.predicate].preposition
    tokens = [Token(preposition, (unit + "op",))] if preposition else []
    if clause.recipient is None:
        return tokens + thing
    recipient = noun_phrase(clause.recipient, unit + "r")
    if clause.object is not None and clause.object.is_indefinite:
        return recipient + thing
    return [*thing, Token("to", (unit + "rp",)), *recipient]
