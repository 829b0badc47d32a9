"""Writes Turkish sentences: the verb last, endings for case, person and possession."""

from __future__ import annotations

from fairseq_amber.demo_corpus.concepts import ANIMALS, PERSONS
from fairseq_amber.demo_corpus.languages.turkish import lexicon
from fairseq_amber.demo_corpus.languages.turkish.morphology import (
    PAST,
    PRESENT,
    bare,
    finite,
    inflect,
    nominalised,
    past_copula,
    question_particle,
)
from fairseq_amber.demo_corpus.meaning import POSSESSIVES, Clause, NounPhrase, Sentence
from fairseq_amber.demo_corpus.tokens import Token, Tokens, adverbial, finish

_LIVING = frozenset(PERSONS + ANIMALS)
_POSSESSION = {"my": "(I)m", "your": "(I)n", "our": "(I)mIz", "of": "(s)I"}
_CASES = {  # case -> its ending, and its ending after the possessive ending of a third person
    "nominative": ("", ""),
    "accusative": ("(y)I", "nI"),
    "dative": ("(y)A", "nA"),
    "locative": ("DA", "nDA"),
    "ablative": ("DAn", "nDAn"),
    "genitive": ("(n)In", "nIn"),
    "instrumental": ("(y)lA", "(y)lA"),
}
_DIRECTIONS = {"at": "locative", "to": "dative", "from": "ablative"}
_CAPITALS = {"i": "İ"}


def realise(sentence: Sentence) -> Tokens:
    """Writes a meaning as tokens, each with its units of meaning."""
    first, second = sentence.clause, sentence.second
    if second is not None and sentence.join == "that":
        tokens = [*_start(first, "A"), *_object_clause(second, "B"), *_predicate(first, "A")]
    else:
        tokens = _clause(first, "A", question=sentence.question)
        if second is not None:
            if sentence.join != "and":
                tokens.append(Token(",", (",",)))
            tokens.append(Token(lexicon.JOINS[sentence.join], ("join",)))
            tokens += _clause(second, "B")
    initial = tokens[0].text[0]
    return finish(tokens, sentence.question, _CAPITALS.get(initial, initial.upper()))


def noun_phrase(
    phrase: NounPhrase,
    case: str,
    unit: str,
    implied: tuple[str, ...] = (),
    drops_article: bool = False,
    owner: str = "",
) -> Tokens:
    """Writes possessor, determiner, numeral, adjective and noun in a case.

    Args:
        phrase: the phrase.
        case: the case.
        unit: the unit of the phrase.
        implied: units that the noun expresses by its ending alone.
        drops_article: whether an indefinite stands without "bir", as in negated clauses.
        owner: the subject of the clause; its own things need no possessive but the ending.
    """
    sure = (unit + "n",)
    if phrase.is_pronoun:
        form = getattr(lexicon.PRONOUNS[phrase.noun], case)
        return [Token(form, sure, implied)]
    ending, ending_of_third = _CASES[case]
    if phrase.is_name:
        length = len(phrase.noun)
        form = inflect(phrase.noun, ending)
        apostrophe = "'" if ending else ""
        return [Token(phrase.noun + apostrophe + form[length:], sure, implied)]
    tokens: Tokens = []
    head_units = implied
    determiner = phrase.determiner
    if determiner == "of":
        possessor = lexicon.NOUNS[phrase.possessor]
        if possessor.before:
            tokens.append(Token(possessor.before, (unit + "on",)))
        form = inflect(possessor.stem, "(n)In")
        tokens.append(Token(form, (unit + "on",), (unit + "od", unit + "og")))
        head_units += (unit + "d", unit + "og")
    elif determiner in lexicon.POSSESSIVES and POSSESSIVES[determiner] != owner:
        # the ending alone would also mean "his"
        tokens.append(Token(lexicon.POSSESSIVES[determiner], (unit + "d",)))
    elif determiner == "this":
        tokens.append(Token("bu", (unit + "d",)))
    elif phrase.is_numbered:
        tokens.append(Token(lexicon.NUMERALS[determiner], (unit + "d",)))
    elif determiner != "indefinite" or drops_article:
        head_units += (unit + "d",)
    if phrase.adjective:
        tokens.append(Token(bare(_stem(phrase.adjective, phrase.noun)), (unit + "a",)))
    if determiner == "indefinite" and not drops_article:
        tokens.append(Token("bir", (unit + "d",)))
    noun = lexicon.NOUNS[phrase.noun]
    if noun.before:
        tokens.append(Token(noun.before, sure))
    endings = []
    # an indefinite object without an adjective shows no number: kitap okuyor
    is_general = case == "nominative" and not determiner and not phrase.adjective
    if phrase.plural and not phrase.is_numbered and not is_general:
        endings.append("lAr")
    if determiner in _POSSESSION:
        endings.append(_POSSESSION[determiner])
    endings.append(ending_of_third if determiner == "of" else ending)
    tokens.append(Token(inflect(noun.stem, *endings), sure, head_units))
    return tokens


def _stem(adjective: str, noun: str) -> str:
    row = lexicon.ADJECTIVES[adjective]
    return row.stem_of_living if row.stem_of_living and noun in _LIVING else row.stem


def _clause(clause: Clause, unit: str, question: bool = False) -> Tokens:
    return [
        *_start(clause, unit),
        *_middle(clause, unit),
        *_predicate(clause, unit, question),
    ]


def _object_clause(clause: Clause, unit: str) -> Tokens:
    """Writes a that-clause as a noun: subject in the genitive, verb in -diğini or -eceğini."""
    tokens = [*_start(clause, unit, "genitive"), *_middle(clause, unit)]
    implied = ("join", unit + "T") + ((unit + "!",) if clause.negated else ())
    stem, sure = lexicon.VERBS["be"].stem, (unit + "C",)
    if clause.kind != "action":
        tokens += _core(clause, unit)[0]
    else:
        verb = lexicon.VERBS[clause.predicate]
        stem, sure = verb.stem, (unit + "V",)
        if verb.before:
            tokens.append(Token(verb.before, sure))
        implied += (unit + "op",)
    if clause.modal:
        tokens.append(Token(inflect(bare(stem), "mAk"), sure, (unit + "I",)))
        sure = (unit + "M",)
        stem = lexicon.VERBS["want" if clause.modal == "want" else "be"].stem
        if clause.modal == "must":
            tokens.append(Token("zorunda", sure))
    return [*tokens, Token(nominalised(stem, clause.tense, clause.negated), sure, implied)]


def _start(clause: Clause, unit: str, case: str = "nominative") -> Tokens:
    """Writes subject and time; a pronoun is dropped, since the verb shows the person."""
    subject: Tokens = []
    if not clause.subject.is_pronoun:
        subject = noun_phrase(clause.subject, case, unit + "s")
    time = adverbial(lexicon.TIMES[clause.time], unit + "t") if clause.time else []
    return time + subject if clause.fronted else subject + time


def _middle(clause: Clause, unit: str) -> Tokens:
    """Writes companion, place and objects; what is new to the hearer stands next to the verb."""
    if clause.kind != "action":
        return []
    tokens: Tokens = []
    if clause.companion is not None:
        with_ = (unit + "cp",)
        tokens += noun_phrase(
            clause.companion, "instrumental", unit + "c", with_, owner=clause.subject.noun
        )
    place = _place(clause, unit)
    if clause.direction == "at":
        tokens += place
        place = []
    definite, indefinite = _objects(clause, unit)
    recipient: Tokens = []
    if clause.recipient is not None:
        to = (unit + "rp",)
        recipient = noun_phrase(
            clause.recipient, "dative", unit + "r", to, owner=clause.subject.noun
        )
    manner = [Token(lexicon.MANNERS[clause.manner], (unit + "m",))] if clause.manner else []
    return [*tokens, *definite, *recipient, *manner, *indefinite, *place]


def _place(clause: Clause, unit: str) -> Tokens:
    if clause.place is None:
        return []
    case, implied = _DIRECTIONS[clause.direction], (unit + "lp",)
    return noun_phrase(clause.place, case, unit + "l", implied, owner=clause.subject.noun)


def _objects(clause: Clause, unit: str) -> tuple[Tokens, Tokens]:
    """Writes the object of a verb; returns it as the first of two if definite, else the second."""
    thing = clause.object
    if thing is None:
        return [], []
    case: str = lexicon.VERBS[clause.predicate].object_case
    if case == "accusative" and thing.is_indefinite:
        case = "nominative"
    owner = clause.subject.noun
    tokens = noun_phrase(thing, case, unit + "o", (), clause.negated, owner)
    return ([], tokens) if thing.is_indefinite else (tokens, [])


def _person(subject: NounPhrase) -> int:
    """Returns the index of the person in forms of I, you, he, we, they; nouns count as "he"."""
    return {"I": 0, "you": 1, "we": 3, "they": 4}.get(subject.noun, 2)


def _predicate(clause: Clause, unit: str, question: bool = False) -> Tokens:
    """Writes the end of a main clause: verb, adjective or position, and the particle "mi"."""
    person = _person(clause.subject)
    implied: tuple[str, ...] = (unit + "sn",) if clause.subject.is_pronoun else ()
    if clause.kind != "action":
        return _copular(clause, unit, person, question, implied)
    verb = lexicon.VERBS[clause.predicate]
    sure = (unit + "V",)
    tokens = [Token(verb.before, sure)] if verb.before else []
    implied += (unit + "T",)
    preposition = (unit + "op",)
    if clause.modal:
        tokens.append(Token(inflect(bare(verb.stem), "mAk"), sure, (unit + "I", *preposition)))
        sure = (unit + "M",)
        if clause.modal == "must":
            return [*tokens, Token(inflect("zorunda", PRESENT[person]), sure, implied)]
        verb = lexicon.VERBS["want"]
    else:
        implied += preposition
    if clause.negated:
        implied += (unit + "!",)
    tense = verb.past if clause.tense == "past" else clause.tense
    if not question:
        return [*tokens, Token(finite(verb.stem, tense, clause.negated, person), sure, implied)]
    # the particle takes the ending of the person (okuyor musun, istiyor muydun), except in the
    # past and for "they"
    if tense == "past":
        word = finite(verb.stem, tense, clause.negated, person)
        return [*tokens, Token(word, sure, implied), Token(question_particle(word), ("?",))]
    base = "present" if tense == "imperfect" else tense
    word = finite(verb.stem, base, clause.negated, 4 if person == 4 else 2)
    moved = 2 if person == 4 else person
    endings = ("(y)DI", PAST[moved]) if tense == "imperfect" else (PRESENT[moved],)
    particle = question_particle(word, *endings)
    return [*tokens, Token(word, sure, implied), Token(particle, ("?",))]


def _core(clause: Clause, unit: str) -> tuple[Tokens, str]:
    """Returns the adjective, comparison or position of "be", and its last word as a stem."""
    if clause.kind == "position":
        if clause.object is None:
            tokens = _place(clause, unit)
            return tokens, tokens[-1].text
        landmark = noun_phrase(clause.object, "genitive", unit + "o", owner=clause.subject.noun)
        position = lexicon.POSITIONS[clause.predicate]
        return [*landmark, Token(position, (unit + "P1",))], position
    stem = _stem(clause.predicate, clause.subject.noun)
    tokens = [Token(bare(stem), (unit + "A",))]
    if clause.kind == "comparison":
        assert clause.object is not None
        standard = noun_phrase(clause.object, "ablative", unit + "o", (unit + "P",))
        tokens = [*standard, Token("daha", (unit + "D",)), *tokens]
    return tokens, stem


def _copular(
    clause: Clause, unit: str, person: int, question: bool, implied: tuple[str, ...]
) -> Tokens:
    """Writes an adjective or a position with the endings of "be", or with olacak, değil or mi."""
    tokens, stem = _core(clause, unit)
    copula = (unit + "C",)
    if clause.tense == "future":
        form = finite(lexicon.VERBS["be"].stem, "future", clause.negated, person)
        negation = (unit + "!",) if clause.negated else ()
        return [*tokens, Token(form, (*copula, unit + "T"), negation + implied)]
    implied = copula + implied
    is_past = clause.tense == "past"
    if question:
        if person == 4:  # hastalar mı
            stem = inflect(stem, "lAr")
            tokens[-1] = tokens[-1]._replace(text=stem)
            person = 2
        endings = ("(y)DI", PAST[person]) if is_past else (PRESENT[person],)
        return [*tokens, Token(question_particle(stem, *endings), ("?",), implied)]
    last = tokens[-1]
    if clause.negated:
        stem, last = "değil", Token("", (unit + "!",))
    else:
        tokens.pop()
    closed = past_copula(stem, person) if is_past else inflect(stem, PRESENT[person])
    return [*tokens, last._replace(text=closed, possible=last.possible + implied)]
