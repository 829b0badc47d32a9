"""Writes Russian sentences: no articles, six cases, two aspects, pasts that agree in gender."""

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

_NOUN_FORMS = {concept: noun_forms(noun) for concept, noun in lexicon.NOUNS.items()}
_FROM = {"в": "из", "на": "с"}  # preposition of being at a place -> of coming from it
_DIRECTION_CASES = {"at": "locative", "to": "accusative", "from": "genitive"}
_USUAL_VERB = lexicon.VerbException("")
_VOWELS = "аеёиоуыэюя"


def realise(sentence: Sentence) -> Tokens:
    """Writes a meaning as tokens, each with its units of meaning."""
    tokens = _clause(sentence.clause, "A")
    if sentence.second is not None:
        tokens.append(Token(",", (",",)))
        tokens += [Token(word, ("join",)) for word in lexicon.JOINS[sentence.join].split()]
        tokens += _clause(sentence.second, "B")
    return finish(tokens, sentence.question, tokens[0].text[0].upper())


def _agreement(phrase: NounPhrase) -> str:
    """Returns "m", "f", "n" or "pl": the form of words that agree with a subject."""
    if phrase.plural or phrase.noun in ("we", "they"):
        return "pl"
    if phrase.noun in ("I", "you"):
        return "f" if phrase.feminine else "m"
    if phrase.is_pronoun:
        return "f" if phrase.noun == "she" else "m"
    return lexicon.NOUNS[phrase.noun].gender


def _agreeing(table: dict[str, tuple[str, ...]], slot: str, case: str, is_animate: bool) -> str:
    """Returns the form of an adjective or a determiner.

    With animates, the accusatives of the masculine and of the plural are genitives.
    """
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
    """Writes determiner or numeral, adjective, noun and possessor in a case.

    Args:
        phrase: the phrase.
        case: the case.
        unit: the unit of the phrase.
        implied: units that the noun expresses by its case alone.
        owner: the subject of the clause; the possessive of its own things is "свой".
    """
    sure = (unit + "n",)
    if phrase.is_pronoun:
        return [Token(getattr(lexicon.PRONOUNS[phrase.noun], case), sure, implied)]
    forms = _NOUN_FORMS[phrase.noun]
    if phrase.is_name:
        return [Token(forms[False, case], sure, implied)]
    if phrase.is_numbered:
        return _counted(phrase, case, unit)
    determiner = phrase.determiner
    noun = lexicon.NOUNS[phrase.noun]
    slot = "pl" if phrase.plural else noun.gender
    is_animate = noun.animacy == "animate"
    tokens: Tokens = []
    if determiner in POSSESSIVES and POSSESSIVES[determiner] == owner:
        determiner = "own"
    if determiner in lexicon.DETERMINERS:
        form = _agreeing(lexicon.DETERMINERS[determiner], slot, case, is_animate)
        tokens.append(Token(form, (unit + "d",)))
    elif determiner:
        implied += (unit + "d",)
    if phrase.adjective:
        table = adjective_forms(lexicon.ADJECTIVES[phrase.adjective].masculine)
        tokens.append(Token(_agreeing(table, slot, case, is_animate), (unit + "a",)))
    tokens.append(Token(forms[phrase.plural, case], sure, implied))
    if phrase.possessor:
        genitive = _NOUN_FORMS[phrase.possessor][False, "genitive"]
        tokens.append(Token(genitive, (unit + "on",), (unit + "od", unit + "og")))
    return tokens


def _counted(phrase: NounPhrase, case: str, unit: str) -> Tokens:
    """Writes numeral, adjective and noun.

    Two to four take the genitive singular ("две книги"), more take the genitive plural ("пять
    книг"). The accusative of animates is a genitive plural throughout ("двух мальчиков").
    """
    noun, numeral = lexicon.NOUNS[phrase.noun], lexicon.NUMERALS[phrase.determiner]
    is_feminine = noun.gender == "f"
    is_paucal = numeral.noun_number == "sg"
    is_genitive = case == "accusative" and noun.animacy == "animate"
    form = numeral.feminine if is_feminine else numeral.masculine
    if is_genitive:
        form = numeral.animate_accusative
    tokens = [Token(form, (unit + "d",))]
    if phrase.adjective:
        adjective = adjective_forms(lexicon.ADJECTIVES[phrase.adjective].masculine)["pl"]
        is_nominative = is_paucal and is_feminine and not is_genitive
        tokens.append(Token(adjective[0 if is_nominative else 1], (unit + "a",)))
    many = is_genitive or not is_paucal
    tokens.append(Token(_NOUN_FORMS[phrase.noun][many, "genitive"], (unit + "n",)))
    return tokens


def _euphonic(preposition: str, following: str) -> str:
    """Returns "со" for "с" before с, з, ш or ж with another consonant: "со студентом"."""
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
    if clause.manner:  # the manner stands before the last verb: должен быстро написать
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
    preposition: str = lexicon.NOUNS[clause.place.noun].place_preposition
    if clause.direction == "from":
        preposition = _FROM[preposition]
    case = _DIRECTION_CASES[clause.direction]
    place = noun_phrase(clause.place, case, unit + "l", owner=clause.subject.noun)
    return _prepositional(preposition + "/p", place, unit + "l")


def _objects(clause: Clause, unit: str) -> Tokens:
    owner = clause.subject.noun
    thing: Tokens = []
    if clause.object is not None:
        case = lexicon.VERB_EXCEPTIONS.get(clause.predicate, _USUAL_VERB).object_case
        thing = noun_phrase(clause.object, case, unit + "o", owner=owner)
    if clause.recipient is None:
        return thing
    recipient = noun_phrase(clause.recipient, "dative", unit + "r", (unit + "rp",), owner)
    is_new = clause.object is not None and clause.object.is_indefinite
    return recipient + thing if is_new else thing + recipient


def _person(subject: NounPhrase) -> int:
    """Returns the index of the person in forms of я, ты, он, мы and они."""
    if subject.is_pronoun:
        return {"I": 0, "you": 1, "we": 3, "they": 4}.get(subject.noun, 2)
    return 4 if subject.plural else 2


def _verb(clause: Clause, unit: str) -> Tokens:
    """Writes the verb in its aspect: perfective for one finished event, else imperfective."""
    verb = clause.predicate
    person = _person(clause.subject)
    slot = _agreement(clause.subject)
    sure = (unit + "V",)
    implied = (unit + "T", unit + "op")
    imperfective = lexicon.VERBS[verb, "imperfective"]
    perfective = lexicon.VERBS.get((verb, "perfective"))
    if clause.time in FREQUENCY:
        imperfective = lexicon.VERBS.get((verb, "habitual"), imperfective)
        perfective = None
    if clause.modal:
        infinitive = (imperfective if clause.negated or not perfective else perfective).infinitive
        want = lexicon.VERBS["want", "imperfective"]
        if clause.modal == "must":
            finite = lexicon.SHORT_FORMS["must"].form(slot)
        elif clause.tense == "past":
            finite = past_forms(want.past)[slot]
        else:
            finite = want.present[person]
        modal = Token(finite, (unit + "M",), (unit + "T",))
        return [modal, Token(infinitive, sure, (unit + "I", unit + "op"))]
    if clause.tense == "present":
        return [Token(imperfective.present[person], sure, implied)]
    if clause.tense == "future":
        if perfective:
            return [Token(perfective.present[person], sure, implied)]
        will = Token(_will(person), (unit + "T",))
        return [will, Token(imperfective.infinitive, sure, (unit + "op",))]
    if perfective:
        use = lexicon.VERB_EXCEPTIONS.get(verb, _USUAL_VERB).perfective_past
        if use == "never" or (use == "affirmative" and clause.negated):
            perfective = None
    past = past_forms((perfective or imperfective).past)[slot]
    return [Token(past, sure, implied)]


def _will(person: int) -> str:
    return lexicon.VERBS["be", "perfective"].present[person]


def _copular(clause: Clause, unit: str) -> Tokens:
    """Writes an adjective, a comparison or a position with "be", which has no present."""
    slot = _agreement(clause.subject)
    copula = (unit + "C",)
    negation = [Token("не", (unit + "!",))] if clause.negated else []
    if clause.tense == "past":
        be = [Token(past_forms(lexicon.VERBS["be", "perfective"].past)[slot], copula)]
    elif clause.tense == "future":
        be = [Token(_will(_person(clause.subject)), (*copula, unit + "T"))]
    else:
        be = []
    unsaid = () if be else copula
    start = negation + be
    owner = clause.subject.noun
    if clause.kind == "position":
        if clause.object is None:
            where = _place(clause, unit)
        else:
            position = lexicon.POSITIONS[clause.predicate]
            landmark = noun_phrase(clause.object, position.case, unit + "o", owner=owner)
            where = _prepositional(position.words, landmark, unit + "P")
        first = where[0]
        return [*start, first._replace(possible=first.possible + unsaid), *where[1:]]
    quality = (unit + "A",)
    if clause.kind == "comparison":
        assert clause.object is not None
        adjective = lexicon.ADJECTIVES[clause.predicate]
        word = adjective.comparative
        if adjective.comparative_of_things and owner not in PERSONS:
            word = adjective.comparative_of_things
        than = [Token(",", (unit + ",",)), Token("чем", (unit + "P",))]
        standard = noun_phrase(clause.object, "nominative", unit + "o")
        return [*start, Token(word, quality, (unit + "D", *unsaid)), *than, *standard]
    if clause.predicate in lexicon.SHORT_FORMS:
        word = lexicon.SHORT_FORMS[clause.predicate].form(slot)
    else:
        index = CASES.index("instrumental" if be else "nominative")
        word = adjective_forms(lexicon.ADJECTIVES[clause.predicate].masculine)[slot][index]
    return [*start, Token(word, quality, unsaid)]
