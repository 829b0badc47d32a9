"""English: subject, auxiliary, verb, objects, place, time."""

from __future__ import annotations

from fairseq_amber.demo_corpus.concepts import FREQUENCY, STATIVE
from fairseq_amber.demo_corpus.languages.english.lexicon import (
    BE,
    BEFORE_VERB,
    COMPARATIVES,
    DIRECTIONS,
    PLURALS,
    PREPOSITIONS,
    PRONOUNS,
    RELATIONS,
    TIMES,
    VERBS,
)
from fairseq_amber.demo_corpus.meaning import Clause, NounPhrase, Sentence
from fairseq_amber.demo_corpus.tokens import Token, Tokens, adverbial, finish

_VERBS = {concept: tuple(forms.split()) for concept, forms in VERBS.items()}


def realise(sentence: Sentence) -> Tokens:
    """The sentence as tokens, with the units of meaning of each."""
    tokens = _clause(sentence.clause, "A", sentence.question)
    if sentence.second is not None:
        if sentence.join == "but":
            tokens.append(Token(",", (",",)))
        tokens.append(Token(sentence.join, ("join",)))
        tokens += _clause(sentence.second, "B")
    return finish(tokens, sentence.question, tokens[0].text[0].upper())


def noun_phrase(phrase: NounPhrase, unit: str, is_subject: bool = False) -> Tokens:
    """Determiner, adjective, noun; or a name or pronoun."""
    if phrase.is_pronoun:
        return [Token(PRONOUNS[phrase.noun][0 if is_subject else 1], (unit + "n",))]
    noun = Token(phrase.noun, (unit + "n",))
    if phrase.is_name:
        return [noun]
    if phrase.plural:
        noun = noun._replace(text=PLURALS.get(phrase.noun) or phrase.noun + "s")
    tokens: Tokens = []
    if phrase.determiner == "of":
        tokens.append(Token("the", (unit + "od",)))
        tokens.append(Token(phrase.possessor, (unit + "on",)))
        # the possessor makes the whole definite, as articles do elsewhere
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
    time = adverbial(TIMES[clause.time], unit + "t") if clause.time else []
    before_verb = time if clause.time in BEFORE_VERB and not clause.fronted else []
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
    return DIRECTIONS.get(clause.direction) or PREPOSITIONS.get(clause.place.noun, "in")


def _agreement(subject: NounPhrase) -> str:
    """ "I", "sg" or "pl": which form of "be" the subject takes."""
    if subject.noun == "I":
        return "I"
    return "pl" if subject.plural or subject.noun in ("you", "we", "they") else "sg"


def _verb(clause: Clause, unit: str, question: bool) -> tuple[Token | None, Tokens]:
    """The auxiliary, if any, and what follows the subject."""
    agreement = _agreement(clause.subject)
    tense = (unit + "T",)
    if clause.kind != "action":
        copula = (unit + "C",)
        if clause.tense == "future":
            return Token("will", tense), [Token("be", copula)]
        return Token(BE[agreement][clause.tense == "past"], copula), []
    base, third, past, ing, *_ = _VERBS[clause.predicate]
    sure = (unit + "V",)
    rest: Tokens = []
    if clause.modal == "must":
        return Token("must", (unit + "M",)), [Token(base, sure)]
    if clause.modal == "want":
        rest = [Token("to", (unit + "I",)), Token(base, sure)]
        base, third, past, ing = _VERBS["want"]
        sure = (unit + "M",)
    if clause.tense == "future":
        return Token("will", tense), [Token(base, sure), *rest]
    if clause.tense == "past":
        if clause.negated or question:
            return Token("did", tense), [Token(base, sure), *rest]
        return None, [Token(past, sure, tense), *rest]
    is_state = clause.predicate in STATIVE or clause.modal == "want"
    if not is_state and clause.time not in FREQUENCY:
        return Token(BE[agreement][0], tense), [Token(ing, sure), *rest]
    if clause.negated or question:
        return Token("does" if agreement == "sg" else "do", tense), [Token(base, sure), *rest]
    return None, [Token(third if agreement == "sg" else base, sure, tense), *rest]


def _complements(clause: Clause, unit: str) -> Tokens:
    """The objects of a verb, or the predicate of "be"."""
    if clause.kind == "quality":
        return [Token(clause.predicate, (unit + "A",))]
    thing = noun_phrase(clause.object, unit + "o") if clause.object else []
    if clause.kind == "comparison":
        words = COMPARATIVES[clause.predicate].split()
        degree = [Token(word, (unit + "D",)) for word in words[:-1]]
        quality = Token(words[-1], (unit + "A",), () if degree else (unit + "D",))
        return [*degree, quality, Token("than", (unit + "P",)), *thing]
    if clause.kind == "position":
        if clause.predicate == "at":
            return []
        return adverbial(RELATIONS[clause.predicate], unit + "P") + thing
    preposition = _VERBS[clause.predicate][4:]
    tokens = [Token(word, (unit + "op",)) for word in preposition]
    if clause.recipient is None:
        return tokens + thing
    recipient = noun_phrase(clause.recipient, unit + "r")
    if clause.object is not None and clause.object.is_indefinite:
        return recipient + thing
    return [*thing, Token("to", (unit + "rp",)), *recipient]
