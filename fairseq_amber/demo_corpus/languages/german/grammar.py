"""Writes German sentences: the finite verb comes second, or last in subordinate clauses."""

from __future__ import annotations

from fairseq_amber.demo_corpus.languages.german import lexicon
from fairseq_amber.demo_corpus.meaning import Clause, NounPhrase, Sentence
from fairseq_amber.demo_corpus.tokens import Token, Tokens, adverbial, finish

# place preposition -> direction -> preposition and case
_WAYS = {
    "in": {"at": ("in", "dative"), "to": ("in", "accusative"), "from": ("aus", "dative")},
    "an": {"at": ("an", "dative"), "to": ("zu", "dative"), "from": ("von", "dative")},
    "auf": {"at": ("auf", "dative"), "to": ("auf", "accusative"), "from": ("von", "dative")},
}
_CONTRACTIONS = {
    ("in", "dem"): "im",
    ("in", "das"): "ins",
    ("an", "dem"): "am",
    ("zu", "dem"): "zum",
    ("von", "dem"): "vom",
}


def realise(sentence: Sentence) -> Tokens:
    """Writes a meaning as tokens, each with its units of meaning."""
    tokens = _clause(sentence.clause, "A", "first" if sentence.question else "second")
    if sentence.second is not None:
        if sentence.join != "and":
            tokens.append(Token(",", (",",)))
        tokens.append(Token(lexicon.JOINS[sentence.join], ("join",)))
        is_subordinate = sentence.join in ("because", "that")
        tokens += _clause(sentence.second, "B", "last" if is_subordinate else "second")
    return finish(tokens, sentence.question, tokens[0].text[0].upper())


def noun_phrase(
    phrase: NounPhrase,
    case: str,
    unit: str,
    implied: tuple[str, ...] = (),
    negated: str = "",
) -> Tokens:
    """Writes determiner, adjective and noun in a case.

    Args:
        phrase: the phrase.
        case: the case.
        unit: the unit of the phrase.
        implied: units that the noun expresses by its case alone.
        negated: the unit of negation if the phrase expresses it, as in "kein Buch".
    """
    if phrase.is_pronoun:
        return [Token(getattr(lexicon.PRONOUNS[phrase.noun], case), (unit + "n",), implied)]
    if phrase.is_name:
        return [Token(phrase.noun, (unit + "n",), implied)]
    slot = "pl" if phrase.plural else lexicon.NOUNS[phrase.noun].gender
    tokens: Tokens = []
    declension = "strong"
    if negated:
        tokens.append(Token("kein" + _ending("ein-", slot, case), (negated, unit + "d")))
        declension = "mixed"
    elif phrase.determiner in ("definite", "of"):
        tokens.append(Token(_ending("article", slot, case), (unit + "d",)))
        declension = "weak"
    elif phrase.determiner == "this":
        tokens.append(Token("dies" + _ending("dies-", slot, case), (unit + "d",)))
        declension = "weak"
    elif phrase.determiner == "indefinite" or phrase.determiner in lexicon.POSSESSIVES:
        stem = lexicon.POSSESSIVES.get(phrase.determiner, "ein")
        tokens.append(Token(stem + _ending("ein-", slot, case), (unit + "d",)))
        declension = "mixed"
    elif phrase.is_numbered:
        tokens.append(Token(lexicon.NUMERALS[phrase.determiner], (unit + "d",)))
    if phrase.adjective:
        adjective = lexicon.ADJECTIVES[phrase.adjective]
        form = (adjective.stem or adjective.form) + _ending(declension, slot, case)
        tokens.append(Token(form, (unit + "a",)))
    tokens.append(Token(_noun(phrase.noun, phrase.plural, case), (unit + "n",), implied))
    if phrase.possessor:
        owner = lexicon.NOUNS[phrase.possessor]
        article = _ending("article", owner.gender, "genitive")
        tokens.append(Token(article, (unit + "od",), (unit + "og",)))
        tokens.append(Token(owner.genitive, (unit + "on",), (unit + "og",)))
    return tokens


def _ending(declension: str, slot: str, case: str) -> str:
    return getattr(lexicon.ENDINGS[declension, slot], case)


def _noun(concept: str, plural: bool, case: str) -> str:
    noun = lexicon.NOUNS[concept]
    if plural:
        needs_n = case == "dative" and noun.plural[-1] not in "ns"
        return noun.plural + "n" if needs_n else noun.plural
    if noun.gender == "m" and case != "nominative" and noun.genitive.endswith("n"):
        return noun.genitive  # den Jungen, dem Studenten: the n-declension
    return noun.singular


def prepositional(
    preposition: str, phrase: NounPhrase, case: str, unit: str, preposition_unit: str
) -> Tokens:
    """Writes a preposition and a noun phrase; contractions such as "im" express both words.

    Args:
        preposition: the preposition.
        phrase: the noun phrase.
        case: the case of the phrase.
        unit: the unit of the phrase.
        preposition_unit: the unit of the preposition.
    """
    tokens = noun_phrase(phrase, case, unit)
    first = tokens[0].text
    if phrase.determiner in ("definite", "of"):
        contracted = _CONTRACTIONS.get((preposition, first))
        if contracted:
            return [Token(contracted, (preposition_unit, unit + "d")), *tokens[1:]]
    return [Token(preposition, (preposition_unit,)), *tokens]


def _person(subject: NounPhrase) -> int:
    """Returns the index of the person in forms of ich, du, er and the plural."""
    if subject.is_pronoun:
        return {"I": 0, "you": 1, "he": 2, "she": 2}.get(subject.noun, 3)
    return 3 if subject.plural else 2


def _clause(clause: Clause, unit: str, position: str) -> Tokens:
    """Writes the clause with its finite verb first, second or last."""
    subject = noun_phrase(clause.subject, "nominative", unit + "s")
    time = adverbial(lexicon.TIMES[clause.time], unit + "t") if clause.time else []
    middle = _middle(clause, unit)
    finite, closing, prefix = _verb(clause, unit)
    if position == "last":
        order = [subject, *middle[:1], time, *middle[1:], closing]
        if prefix:
            finite = finite._replace(text=prefix.text + finite.text)
        return [*_flat(order), finite]
    ending = closing + ([prefix] if prefix else [])
    if position == "first":
        return [finite, *_flat([subject, *middle[:1], time, *middle[1:], ending])]
    if clause.fronted:
        return [*time, finite, *_flat([subject, *middle, ending])]
    return [*subject, finite, *_flat([*middle[:1], time, *middle[1:], ending])]


def _flat(groups: list[Tokens]) -> Tokens:
    return [token for group in groups for token in group]


def _middle(clause: Clause, unit: str) -> list[Tokens]:
    """Writes what stands between the verbs, in the German order: an object pronoun first."""
    pronoun: Tokens = []
    definite: Tokens = []
    indefinite: Tokens = []
    negation = [Token("nicht", (unit + "!",))] if clause.negated else []
    thing = clause.object
    if clause.kind == "action" and thing is not None:
        verb = lexicon.VERBS[clause.predicate]
        case, preposition = verb.object_case, verb.object_preposition
        if preposition:
            indefinite = prepositional(preposition, thing, case, unit + "o", unit + "op")
        elif thing.is_pronoun:
            pronoun = noun_phrase(thing, case, unit + "o")
        elif not thing.is_indefinite:
            definite = noun_phrase(thing, case, unit + "o")
        else:
            kein = unit + "!" if clause.negated else ""
            indefinite = noun_phrase(thing, case, unit + "o", negated=kein)
            negation = []
    recipient: Tokens = []
    if clause.recipient is not None:
        recipient = noun_phrase(clause.recipient, "dative", unit + "r", (unit + "rp",))
    companion: Tokens = []
    if clause.companion is not None:
        companion = prepositional("mit", clause.companion, "dative", unit + "c", unit + "cp")
    place: Tokens = []
    if clause.place is not None:
        ways = _WAYS[lexicon.NOUNS[clause.place.noun].place_preposition]
        way, way_case = ways[clause.direction]
        place = prepositional(way, clause.place, way_case, unit + "l", unit + "lp")
    manner = [Token(lexicon.MANNERS[clause.manner], (unit + "m",))] if clause.manner else []
    predicate = _predicate(clause, unit)
    return [
        pronoun,
        recipient,
        definite,
        negation,
        companion,
        place,
        manner,
        indefinite,
        predicate,
    ]


def _predicate(clause: Clause, unit: str) -> Tokens:
    """Writes what follows "sein": an adjective, a comparison or a position."""
    if clause.kind == "quality":
        return [Token(lexicon.ADJECTIVES[clause.predicate].form, (unit + "A",))]
    if clause.object is None or clause.kind == "action":
        return []
    if clause.kind == "comparison":
        quality = lexicon.ADJECTIVES[clause.predicate].comparative
        return [
            Token(quality, (unit + "A",), (unit + "D",)),
            Token("als", (unit + "P",)),
            *noun_phrase(clause.object, "nominative", unit + "o"),
        ]
    preposition = lexicon.POSITIONS[clause.predicate]
    return prepositional(preposition, clause.object, "dative", unit + "o", unit + "P1")


def _verb(clause: Clause, unit: str) -> tuple[Token, Tokens, Token | None]:
    """Returns the finite verb, the verbs that close the clause, and a separable prefix."""
    person = _person(clause.subject)
    tense = (unit + "T",)
    will = Token(lexicon.FINITE_FORMS["will", "present"][person], tense)
    if clause.kind != "action":
        copula = (unit + "C",)
        if clause.tense == "future":
            return will, [Token("sein", copula)], None
        return Token(lexicon.FINITE_FORMS["be", clause.tense][person], copula), [], None
    verb = lexicon.VERBS[clause.predicate]
    sure = (unit + "V",)
    # other languages may have a preposition before the object where German has none
    implied = () if verb.object_preposition else (unit + "op",)
    whole = verb.prefix + verb.infinitive
    if clause.modal:
        form = lexicon.FINITE_FORMS[clause.modal, clause.tense][person]
        modal = Token(form, (unit + "M",), tense)
        return modal, [Token(whole, sure, (unit + "I", *implied))], None
    if clause.tense == "future":
        return will, [Token(whole, sure, implied)], None
    if clause.tense == "past":
        preterite = lexicon.FINITE_FORMS.get((clause.predicate, "past"))
        if preterite:
            return Token(preterite[person], sure, tense), [], None
        helper = "be" if verb.auxiliary == "ist" else "have"
        auxiliary = Token(lexicon.FINITE_FORMS[helper, "present"][person], tense)
        return auxiliary, [Token(verb.participle, sure, implied)], None
    finite = Token(verb.present[person], sure, (unit + "T", *implied))
    return finite, [], Token(verb.prefix, sure) if verb.prefix else None
