"""Russian sentences; the name of a meaning lists the rules that it shows in all languages."""

from __future__ import annotations

import pytest

from demo_corpus_meanings import MEANINGS
from fairseq_amber.demo_corpus.languages.russian.grammar import realise
from fairseq_amber.demo_corpus.tokens import text

SENTENCES = dict(
    [
        ("present, definite object", "Мальчик читает книгу ."),
        ("an before a vowel; mixed declension; place", "Женщина купила красное яблоко на рынке ."),
        ("an before the noun; time; question", "Ты вчера съел яблоко ?"),
        ("person on the particle", "Ты сейчас работаешь ?"),
        (
            "habit: simple present, imperfective; verb of motion",
            "Ребёнок каждый день ходит в школу .",
        ),
        (
            "verb second after a fronted time; sein perfect; zum",
            "В понедельник Анна пошла на вокзал .",
        ),
        ("separable prefix; negation; aus, из, ablative", "Я не возвращаюсь из леса ."),
        (
            "double object; dative; indefinite next to the Turkish verb",
            "Мужчина дал девочке цветок .",
        ),
        ("definite before the recipient", "Сестра покажет картину Марии ."),
        ("kein; mass noun; imperfective under negation", "Она не пила молоко ."),
        (
            "animate accusative plural after a numeral; habitual past",
            "Врач часто видел двух умных мальчиков .",
        ),
        ("numerals with genitives; plural subject", "Две кошки нашли пять ключей ."),
        (
            "n-declension; animate accusative; accusative of names",
            "Студент любит соседа , но Елена не знает Виктора .",
        ),
        ("dative verbs; one's own", "Мы помогаем своей бабушке ."),
        ("companion: с, -le", "Девочка играла с этим студентом ."),
        ("companion: со before two consonants", "Певица будет петь со студентом ."),
        ("possessor: 's, genitive, double marking", "Гость осторожно открыл новое окно учителя ."),
        (
            "subordinate that: verb last; nominalised",
            "Мать знает , что брат завтра позвонит моему другу .",
        ),
        (
            "that: separable verb joined; third person genitive",
            "Он сказал , что повар не закрыл дверь .",
        ),
        ("preterites; imperfect", "Они думали , что дом был старым ."),
        (
            "because: short adjectives; subject dropped",
            "Женщина спала , потому что она была больна .",
        ),
        ("because: plural dropped; negated", "Эти гости плачут , потому что они не счастливы ."),
        ("quality in the present; weak declension", "Синий велосипед дешёвый ."),
        (
            "quality in the past: instrumental; fronted vowels against the last",
            "Твой отец был занят .",
        ),
        ("future of be; plural in the instrumental", "Апельсины будут дорогими ."),
        ("comparison", "Этот город больше , чем наша деревня ."),
        ("comparison with more; old of the living", "Дедушка был старше , чем лошадь ?"),
        ("position: dative, instrumental, possessed postposition", "Собака под большим столом ."),
        ("position in the past; im; шкафу", "Моё пальто было в шкафу ."),
        ("being at a place; negated; genitive plural", "Мы не в саду ."),
        ("want: infinitive last; perfective", "Водитель сегодня хочет починить старую машину ."),
        ("must: gender, person", "Я должна помыть белые рубашки ."),
        ("pronoun objects; and", "Я на прошлой неделе навестил их , а фермер ждёт тебя ."),
    ]
)


@pytest.mark.parametrize("rules", MEANINGS)
def test_sentences(rules):
    assert text(realise(MEANINGS[rules])) == SENTENCES[rules]
