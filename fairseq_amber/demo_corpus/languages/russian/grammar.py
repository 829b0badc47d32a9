"""Russian: no articles, six cases, aspect, and pasts that agree in gender."""

from __future__ import annotations

from fairseq_amber.demo_corpus.concepts import FREQUENCY, PERSONS
from fairseq_amber.demo_corpus.languages.russian import lexicon
from fairseq_amber.demo_corpus.languages.russian.morphology import (
    CASES,
    adjective_forms,
    noun_forms,
    past_forms,
)
from fairseq_amber.demo_corpus.meaning import (
    POSSESSIVES,
    Clause,
    NounPhrase,
    Sentence,
)
from fairseq_amber.demo_corpus.tokens import Token, Tokens, adverbial, finish

_NOUNS = {noun: noun_forms(entry) for noun, entry in lexicon.NOUNS.items()}
_GENDERS = {noun: entry[0] for noun, entry in lexicon.NOUNS.items()}
_ANIMATE = frozenset(noun for noun, entry in lexicon.NOUNS.items() if entry.split()[1] == "animate")
_PRONOUNS = {
    noun: dict(zip(("nominative", "genitive", "dative", "accusative"), forms.split()))
    for noun, forms in lexicon.PRONOUNS.items()
}
_DETERMINERS: dict[str, dict[str, tuple[str, ...]]] = {
    word: {slot: tuple(forms.split()) for slot, forms in table.items()}
    for word, table in lexicon.POSSESSIVES.items()
}
_NUMERALS = {word: forms.split() for word, forms in lexicon.NUMERALS.items()}
_STATES = {word: forms.split() for word, forms in lexicon.STATES.items()}
_VERBS = {verb: forms.split() for verb, forms in lexicon.VERBS.items()}
_HABITUAL = {verb: forms.split() for verb, forms in lexicon.HABITUAL.items()}
_GENDER_INDEX = {"m": 0, "f": 1, "n": 2, "pl": 3}
_VOWELS = "аеёиоуыэюя"


def realise(sentence: Sentence) -> Tokens:
    """The sentence as tokens, with the units of meaning of each."""
    tokens = _clause(sentence.clause, "A")
    if sentence.second is not None:
        tokens.append(Token(",", (",",)))
        tokens += [Token(word, ("join",)) for word in lexicon.JOINS[sentence.join].split()]
        tokens += _clause(sentence.second, "B")
    return finish(tokens, sentence.question, tokens[0].text[0].upper())


def _agreement(phrase: NounPhrase) -> str:
    """ "m", "f", "n" or "pl": what agrees with a subject takes this form."""
    if phrase.plural or phrase.noun in ("we", "they"):
        return "pl"
    if phrase.noun in ("I", "you"):
        return "f" if phrase.feminine else "m"
    if phrase.is_pronoun:
        return "f" if phrase.noun == "she" else "m"
    return _GENDERS[phrase.noun]


def _agreeing(table: dict[str, tuple[str, ...]], slot: str, case: str, is_animate: bool) -> str:
    """The form of an adjective or determiner: of animates, m and pl accusatives are genitives."""
    if case == "accusative" and is_animate and slot in ("m", "pl"):
        case = "genitive"
    return table[slot][CASES.index("prepositional" if case == "locative" else case)]


def noun_phrase(
    phrase: NounPhrase,
    case: str,
    unit: str,
    implied: tuple[str, ...] = (),
    owner: str = "",
) -> Tokens:
    """Determiner or numeral, adjective, noun and possessor in a case.

    Args:
        implied: units that the noun expresses by its case alone.
        owner: the subject of the clause; what belongs to it is "свой".
    """
    sure = (unit + "n",)
    if phrase.is_pronoun:
        return [Token(_PRONOUNS[phrase.noun][case], sure, implied)]
    forms = _NOUNS[phrase.noun]
    if phrase.is_name:
        return [Token(forms[False, case], sure, implied)]
    if phrase.is_numbered:
        return _counted(phrase, case, unit)
    determiner = phrase.determiner
    slot = "pl" if phrase.plural else _GENDERS[phrase.noun]
    is_animate = phrase.noun in _ANIMATE
    tokens: Tokens = []
    if determiner in POSSESSIVES and POSSESSIVES[determiner] == owner:
        determiner = "own"
    if determiner in _DETERMINERS:
        form = _agreeing(_DETERMINERS[determiner], slot, case, is_animate)
        tokens.append(Token(form, (unit + "d",)))
    elif determiner:
        implied += (unit + "d",)
    if phrase.adjective:
        table = adjective_forms(lexicon.ADJECTIVES[phrase.adjective])
        tokens.append(Token(_agreeing(table, slot, case, is_animate), (unit + "a",)))
    tokens.append(Token(forms[phrase.plural, case], sure, implied))
    if phrase.possessor:
        genitive = _NOUNS[phrase.possessor][False, "genitive"]
        tokens.append(Token(genitive, (unit + "on",), (unit + "od", unit + "og")))
    return tokens


def _counted(phrase: NounPhrase, case: str, unit: str) -> Tokens:
    """Two to four take the genitive singular, more the genitive plural: две книги, пять книг.

    The accusative of two to four animates is the genitive throughout: двух мальчиков.
    """
    gender = _GENDERS[phrase.noun]
    is_paucal = phrase.determiner in lexicon.PAUCAL
    is_genitive = case == "accusative" and phrase.noun in _ANIMATE
    form = 2 if is_genitive else int(gender == "f")
    tokens = [Token(_NUMERALS[phrase.determiner][form], (unit + "d",))]
    if phrase.adjective:
        is_nominative = is_paucal and gender == "f" and not is_genitive
        adjective = adjective_forms(lexicon.ADJECTIVES[phrase.adjective])["pl"]
        tokens.append(Token(adjective[0 if is_nominative else 1], (unit + "a",)))
    many = is_genitive or not is_paucal
    tokens.append(Token(_NOUNS[phrase.noun][many, "genitive"], (unit + "n",)))
    return tokens


def _euphonic(preposition: str, following: str) -> str:
    """со before с, з, ш, ж and a consonant: со студентом."""
    if preposition == "с" and following[0] in "сзшж" and following[1] not in _VOWELS:
        return "со"
    return preposition


def _prepositional(words: str, phrase: Tokens, unit: str) -> Tokens:
    tokens = adverbial(words, unit)
    last = tokens[-1]
    tokens[-1] = last._replace(text=_euphonic(last.text, phrase[0].text))
    return tokens + phrase


def _clause(clause: Clause, unit: str) -> Tokens:
    time = adverbial(lexicon.TIMES[clause.time], unit + "t") if clause.time else []
    tokens = noun_phrase(clause.subject, "nominative", unit + "s")
    tokens = time + tokens if clause.fronted else tokens + time
    if clause.kind != "action":
        return tokens + _copular(clause, unit)
    if clause.negated:
        tokens.append(Token("не", (unit + "!",)))
    verbs = _verb(clause, unit)
    if clause.manner:  # before the verb itself: должен быстро написать
        verbs.insert(-1, Token(lexicon.MANNERS[clause.manner], (unit + "m",)))
    tokens += verbs + _objects(clause, unit)
    if clause.companion is not None:
        companion = noun_phrase(
            clause.companion, "instrumental", unit + "c", owner=clause.subject.noun
        )
        tokens += _prepositional("с/p", companion, unit + "c")
    return tokens + _place(clause, unit)


def _place(clause: Clause, unit: str) -> Tokens:
    if clause.place is None:
        return []
    ways = lexicon.ON if clause.place.noun in lexicon.ON_PLACES else lexicon.INSIDE
    case = lexicon.DIRECTION_CASES[clause.direction]
    place = noun_phrase(clause.place, case, unit + "l", owner=clause.subject.noun)
    return _prepositional(ways[clause.direction] + "/p", place, unit + "l")


def _objects(clause: Clause, unit: str) -> Tokens:
    owner = clause.subject.noun
    thing: Tokens = []
    if clause.object is not None:
        case = "dative" if clause.predicate in lexicon.DATIVE_VERBS else "accusative"
        thing = noun_phrase(clause.object, case, unit + "o", owner=owner)
    if clause.recipient is None:
        return thing
    recipient = noun_phrase(clause.recipient, "dative", unit + "r", (unit + "rp",), owner)
    is_new = clause.object is not None and clause.object.is_indefinite
    return recipient + thing if is_new else thing + recipient


def _person(subject: NounPhrase) -> int:
    """Index into the forms of я, ты, он, мы, они."""
    if subject.is_pronoun:
        return {"I": 0, "you": 1, "we": 3, "they": 4}.get(subject.noun, 2)
    return 4 if subject.plural else 2


def _verb(clause: Clause, unit: str) -> Tokens:
    """The verb in its aspect: one finished event is perfective, a habit or a process is not."""
    verb = clause.predicate
    person = _person(clause.subject)
    gender = _GENDER_INDEX[_agreement(clause.subject)]
    sure = (unit + "V",)
    implied = (unit + "T", unit + "op")
    forms = _VERBS[verb]
    is_habit = clause.time in FREQUENCY
    imperfective = _HABITUAL.get(verb, forms[:7]) if is_habit else forms[:7]
    perfective = [] if is_habit else forms[7:]
    if clause.modal:
        infinitive = (imperfective if clause.negated or not perfective else perfective)[0]
        if clause.modal == "must":
            finite = lexicon.MUST[gender]
        elif clause.tense == "past":
            finite = past_forms(_VERBS["want"][6])[gender]
        else:
            finite = _VERBS["want"][1 + person]
        modal = Token(finite, (unit + "M",), (unit + "T",))
        return [modal, Token(infinitive, sure, (unit + "I", unit + "op"))]
    if clause.tense == "present":
        return [Token(imperfective[1 + person], sure, implied)]
    if clause.tense == "future":
        if perfective:
            return [Token(perfective[1 + person], sure, implied)]
        will = Token(lexicon.WILL[person], (unit + "T",))
        return [will, Token(imperfective[0], sure, (unit + "op",))]
    is_process = verb in lexicon.IMPERFECTIVE_PAST or (
        clause.negated and verb in lexicon.IMPERFECTIVE_NEGATED
    )
    past = perfective[6] if perfective and not is_process else imperfective[6]
    return [Token(past_forms(past)[gender], sure, implied)]


def _copular(clause: Clause, unit: str) -> Tokens:
    """What is said with "be", which has no present: an adjective, a comparison, a position."""
    slot = _agreement(clause.subject)
    copula = (unit + "C",)
    negation = [Token("не", (unit + "!",))] if clause.negated else []
    if clause.tense == "past":
        be = [Token(lexicon.BE[_GENDER_INDEX[slot]], copula)]
    elif clause.tense == "future":
        be = [Token(lexicon.WILL[_person(clause.subject)], (*copula, unit + "T"))]
    else:
        be = []
    unsaid = () if be else copula
    start = negation + be
    owner = clause.subject.noun
    if clause.kind == "position":
        if clause.object is None:
            where = _place(clause, unit)
        else:
            words, case = lexicon.RELATIONS[clause.predicate]
            landmark = noun_phrase(clause.object, case, unit + "o", owner=owner)
            where = _prepositional(words, landmark, unit + "P")
        first = where[0]
        return [*start, first._replace(possible=first.possible + unsaid), *where[1:]]
    quality = (unit + "A",)
    if clause.kind == "comparison":
        assert clause.object is not None
        word = lexicon.COMPARATIVES[clause.predicate]
        if clause.predicate == "old" and owner not in PERSONS:
            word = lexicon.OLDER_THING
        than = [Token(",", (unit + ",",)), Token("чем", (unit + "P",))]
        standard = noun_phrase(clause.object, "nominative", unit + "o")
        return [*start, Token(word, quality, (unit + "D", *unsaid)), *than, *standard]
    if clause.predicate in _STATES:
        word = _STATES[clause.predicate][_GENDER_INDEX[slot]]
    else:
        index = CASES.index("instrumental" if be else "nominative")
        word = adjective_forms(lexicon.ADJECTIVES[clause.predicate])[slot][index]
    return [*start, Token(word, quality, unsaid)]
