"""German: the finite verb second, or last in subordinate clauses; three genders, four cases."""

from __future__ import annotations

from typing import Tuple

from fairseq_amber.demo_corpus.languages.german import lexicon
from fairseq_amber.demo_corpus.meaning import Clause, NounPhrase, Sentence
from fairseq_amber.demo_corpus.tokens import Token, Tokens, adverbial, finish

Table = Tuple[str, ...]


def _split(table: dict) -> dict:
    return {key: tuple(forms.replace("-", "").split(" ")) for key, forms in table.items()}


_NOUNS = _split(lexicon.NOUNS)
_PRONOUNS = _split(lexicon.PRONOUNS)
_VERBS = _split(lexicon.VERBS)
_PRETERITES = _split(lexicon.PRETERITES)
_MODALS = _split(lexicon.MODALS)
_BE = _split(lexicon.BE)
_HAVE = lexicon.HAVE.split()
_WILL = lexicon.WILL.split()
_ARTICLES, _DEMONSTRATIVES, _INDEFINITES, _WEAK, _MIXED, _STRONG = map(
    _split,
    (
        lexicon.ARTICLES,
        lexicon.DEMONSTRATIVES,
        lexicon.INDEFINITES,
        lexicon.WEAK,
        lexicon.MIXED,
        lexicon.STRONG,
    ),
)


def realise(sentence: Sentence) -> Tokens:
    """The sentence as tokens, with the units of meaning of each."""
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
    """Determiner, adjective and noun in a case.

    Args:
        implied: units that the noun expresses by its case alone.
        negated: the unit of negation, if the phrase is to say it: kein Buch.
    """
    index = lexicon.CASES[case]
    if phrase.is_pronoun:
        return [Token(_PRONOUNS[phrase.noun][index], (unit + "n",), implied)]
    if phrase.is_name:
        return [Token(phrase.noun, (unit + "n",), implied)]
    gender = _NOUNS[phrase.noun][0]
    slot = "pl" if phrase.plural else gender
    tokens: Tokens = []
    endings = _STRONG
    if negated:
        tokens.append(Token("kein" + _INDEFINITES[slot][index], (negated, unit + "d")))
        endings = _MIXED
    elif phrase.determiner in ("definite", "of"):
        tokens.append(Token(_ARTICLES[slot][index], (unit + "d",)))
        endings = _WEAK
    elif phrase.determiner == "this":
        tokens.append(Token("dies" + _DEMONSTRATIVES[slot][index], (unit + "d",)))
        endings = _WEAK
    elif phrase.determiner == "indefinite" or phrase.determiner in lexicon.POSSESSIVES:
        stem = lexicon.POSSESSIVES.get(phrase.determiner, "ein")
        tokens.append(Token(stem + _INDEFINITES[slot][index], (unit + "d",)))
        endings = _MIXED
    elif phrase.is_numbered:
        tokens.append(Token(lexicon.NUMERALS[phrase.determiner], (unit + "d",)))
    if phrase.adjective:
        stem = lexicon.ADJECTIVES[phrase.adjective]
        stem = lexicon.STEMS.get(stem, stem)
        tokens.append(Token(stem + endings[slot][index], (unit + "a",)))
    tokens.append(Token(_noun(phrase.noun, phrase.plural, index), (unit + "n",), implied))
    if phrase.possessor:
        owner = _NOUNS[phrase.possessor]
        tokens.append(Token("der" if owner[0] == "f" else "des", (unit + "od",), (unit + "og",)))
        tokens.append(Token(owner[3], (unit + "on",), (unit + "og",)))
    return tokens


def _noun(noun: str, plural: bool, case: int) -> str:
    gender, singular, plural_form, *genitive = _NOUNS[noun]
    if plural:
        needs_n = case == lexicon.CASES["dative"] and plural_form[-1] not in "ns"
        return plural_form + "n" if needs_n else plural_form
    if gender == "m" and case and genitive and genitive[0].endswith("n"):
        return genitive[0]  # den Jungen, dem Studenten: the n-declension
    return singular


def prepositional(
    preposition: str, phrase: NounPhrase, case: str, unit: str, preposition_unit: str
) -> Tokens:
    """Preposition and noun phrase; im, zum and the like express both words they contract."""
    tokens = noun_phrase(phrase, case, unit)
    first = tokens[0].text
    if phrase.determiner in ("definite", "of"):
        contracted = lexicon.CONTRACTIONS.get(f"{preposition} {first}")
        if contracted:
            return [Token(contracted, (preposition_unit, unit + "d")), *tokens[1:]]
    return [Token(preposition, (preposition_unit,)), *tokens]


def _person(subject: NounPhrase) -> int:
    """Index into ich, du, er, plural."""
    if subject.is_pronoun:
        return {"I": 0, "you": 1, "he": 2, "she": 2}.get(subject.noun, 3)
    return 3 if subject.plural else 2


def _clause(clause: Clause, unit: str, position: str) -> Tokens:
    """The clause with its finite verb first, second or last."""
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
    """What stands between the verbs: an object pronoun first, the rest in German's order."""
    pronoun: Tokens = []
    definite: Tokens = []
    indefinite: Tokens = []
    negation = [Token("nicht", (unit + "!",))] if clause.negated else []
    thing = clause.object
    if clause.kind == "action" and thing is not None:
        preposition = lexicon.VERB_PREPOSITIONS.get(clause.predicate)
        case = "dative" if clause.predicate in lexicon.DATIVE_VERBS else "accusative"
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
        ways = lexicon.PLACES.get(clause.place.noun, lexicon.INSIDE)
        preposition, case = ways[clause.direction].split()
        place = prepositional(preposition, clause.place, case, unit + "l", unit + "lp")
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
    """What is said with sein: an adjective, a comparison, a position."""
    if clause.kind == "quality":
        return [Token(lexicon.ADJECTIVES[clause.predicate], (unit + "A",))]
    if clause.object is None or clause.kind == "action":
        return []
    if clause.kind == "comparison":
        quality = lexicon.COMPARATIVES[clause.predicate]
        return [
            Token(quality, (unit + "A",), (unit + "D",)),
            Token("als", (unit + "P",)),
            *noun_phrase(clause.object, "nominative", unit + "o"),
        ]
    relation = lexicon.RELATIONS[clause.predicate]
    return prepositional(relation, clause.object, "dative", unit + "o", unit + "P1")


def _verb(clause: Clause, unit: str) -> tuple[Token, Tokens, Token | None]:
    """The finite verb, the verbs that close the clause, and a separable prefix of the finite."""
    person = _person(clause.subject)
    tense = (unit + "T",)
    if clause.kind != "action":
        copula = (unit + "C",)
        if clause.tense == "future":
            return Token(_WILL[person], tense), [Token("sein", copula)], None
        return Token(_BE[clause.tense][person], copula), [], None
    infinitive, ich, du, er, auxiliary, participle, *prefixes = _VERBS[clause.predicate]
    sure = (unit + "V",)
    # where another language has a preposition and German has none
    implied = () if clause.predicate in lexicon.VERB_PREPOSITIONS else (unit + "op",)
    whole = "".join(prefixes) + infinitive
    if clause.modal:
        modal = Token(_MODALS[clause.modal, clause.tense][person], (unit + "M",), tense)
        return modal, [Token(whole, sure, (unit + "I", *implied))], None
    if clause.tense == "future":
        return Token(_WILL[person], tense), [Token(whole, sure, implied)], None
    if clause.tense == "past" and clause.predicate in _PRETERITES:
        return Token(_PRETERITES[clause.predicate][person], sure, tense), [], None
    if clause.tense == "past":
        helper = _BE["present"] if auxiliary == "ist" else _HAVE
        return Token(helper[person], tense), [Token(participle, sure, implied)], None
    finite = Token((ich, du, er, infinitive)[person], sure, (unit + "T", *implied))
    return finite, [], Token(prefixes[0], sure) if prefixes else None
