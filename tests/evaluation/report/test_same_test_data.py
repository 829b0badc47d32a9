import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.same_test_data import check_same_test_data
from fairseq_amber.files.results import Result


def result(system, digests, **config):
    languages = {
        language: {"score": 1, "n": 1, **({} if digest is None else {"test_digest": digest})}
        for language, digest in digests.items()
    }
    return Result.from_languages("xnli", "accuracy", system, languages, config)


def test_digests_are_compared_language_by_language():
    results = [result("A", {"de": "1", "en": "2"}), result("B", {"de": "1", "fr": "3"})]
    check_same_test_data(results, "")
    check_same_test_data([*results, result("C", {"en": None, "fr": "3"})], "")


def test_an_error_names_both_places_and_ends_in_the_remedy():
    results = [
        result("A", {"de": "1"}, gold="x.gold"),
        result("B", {"de": None}, test="nowhere"),
        result("C", {"de": "2"}, test="corpus"),
    ]
    with pytest.raises(UserError, match="xnli of de .*: A on x.gold and C on corpus; do so$"):
        check_same_test_data(results, "do so")
    with pytest.raises(UserError, match="A on an unknown place and C on corpus"):
        check_same_test_data([result("A", {"de": "1"}), results[-1]], "do so")
