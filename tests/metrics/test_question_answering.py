"""Answer scores: the numbers that the official scripts of SQuAD v1.1 and of MLQA give."""

import pytest

from fairseq_amber.metrics.question_answering import mlqa_scores, squad_scores


@pytest.mark.parametrize(
    ("prediction", "answers", "em", "f1"),
    [
        ("The Lake, in Zürich!", ["a lake in Zürich"], 1, 1.0),
        ("in 1990", ["1990", "the year 1990"], 0, 2 / 3),
        ("the", ["a"], 1, 0.0),  # nothing is left: equal, but no word in common
        ("", ["Rome"], 0, 0.0),
        ("das Haus", ["Haus"], 0, 2 / 3),  # English articles alone
        ("¿Roma?", ["Roma"], 0, 0.0),  # ASCII punctuation alone
        ("北京市", ["北京"], 0, 0.0),  # words are between spaces
        ("U.S.", ["US"], 1, 1.0),
        ("  two \n words", ["two words"], 1, 1.0),
        ("theater a-b", ["theater ab"], 1, 1.0),
        ("x x y", ["x y y"], 0, 2 / 3),
    ],
)
def test_squad(prediction, answers, em, f1):
    assert squad_scores(prediction, answers) == pytest.approx((em, f1))


@pytest.mark.parametrize(
    ("language", "prediction", "answers", "em", "f1"),
    [
        ("en", "the U.S. — an ally", ["US ally"], 1, 1.0),
        ("de", "das rote Haus", ["Rote Haus"], 1, 1.0),
        ("de", "„Köln“, am Rhein", ["Köln"], 0, 0.5),
        ("de", "die der das", ["dem"], 1, 0.0),
        ("es", "¿la casa de los López?", ["casa de López"], 1, 1.0),
        ("es", "unas 300 casas", ["300 casas", "casas"], 1, 1.0),
        ("vi", "cái nhà của tôi", ["nhà tôi"], 1, 1.0),
        ("vi", "Là những người", ["người Việt"], 0, 2 / 3),
        ("hi", "गांधी जी।", ["गांधी जी"], 1, 1.0),
        ("hi", "नई दिल्ली शहर", ["दिल्ली"], 0, 0.5),
        ("ar", "الكتاب الجديد", ["كتاب جديد"], 1, 1.0),
        ("ar", "في القاهرة،", ["القاهرة"], 0, 2 / 3),
        ("ar", "سؤال", ["سؤ"], 1, 1.0),  # the article is taken out of words, too
        ("zh", "北京大学", ["北京"], 0, 2 / 3),
        ("zh", "1949年10月，北京", ["1949年 北京"], 0, 0.8),
        ("zh", "《红楼梦》", ["红楼梦"], 1, 1.0),
        ("zh", "IBM公司", ["ibm 公司"], 1, 1.0),
        ("zh", "\u9fa6京", ["京"], 0, 2 / 3),  # the first character after the range of Han
    ],
)
def test_mlqa(language, prediction, answers, em, f1):
    assert mlqa_scores(prediction, answers, language) == pytest.approx((em, f1))


ARTICLES = {
    "ar": "ال",
    "de": "ein eine einen einem eines einer der die das den dem des",
    "en": "a an the",
    "es": "un una unos unas el la los las",
    "hi": "",
    "vi": "của là cái chiếc những",
    "zh": "",
}


def test_every_article_of_mlqa():
    for language, articles in ARTICLES.items():
        for article in " ".join(ARTICLES.values()).split():
            known = article in articles.split()
            assert mlqa_scores(f"{article} 7", ["7"], language).em == known, (language, article)


def test_the_best_of_the_answers_counts_for_each_number_alone():
    assert squad_scores("the", ["an", "the b"]) == (1.0, 0.0)
    assert squad_scores("b c", ["a", "b", "b c d e"]) == pytest.approx((0.0, 2 / 3))


def test_no_rules_for_a_language():
    with pytest.raises(ValueError, match="'sw'.*ar, de, en, es, hi, vi, zh"):
        mlqa_scores("x", ["x"], "sw")


def test_no_answers_no_score():
    with pytest.raises(ValueError, match="gold"):
        squad_scores("x", [])
