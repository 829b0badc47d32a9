import json

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.results import Result, read_result


def test_the_score_is_the_plain_mean_over_languages(tmp_path):
    languages = {"de-en": {"score": 90.0, "n": 1000}, "sw-en": {"score": 40.0, "n": 10}}
    result = Result.from_languages("retrieval", "accuracy", "A", languages, {"layer": 3})
    assert (result.score, result.n) == (65.0, 1010)
    result.write(tmp_path / "deep" / "r.json")
    assert read_result(tmp_path / "deep" / "r.json") == result
    content = json.loads((tmp_path / "deep" / "r.json").read_text())
    assert set(content) == {"task", "metric", "system", "score", "per_language", "n", "config"}


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"task": "x"}', '{"score": 1, "per_language": []}', "\xff"]
)
def test_another_json_is_refused(content, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=r"x\.json is not a result"):
        read_result(path)
    with pytest.raises(UserError, match="cannot read"):
        read_result(tmp_path / "missing.json")
