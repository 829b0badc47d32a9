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


@pytest.mark.parametrize("name", ["r.json", "r.items.npz"])
def test_a_result_and_its_outcomes_appear_together_or_not(name, tmp_path):
    (tmp_path / name).mkdir()
    result = Result("t", "m", "s", 1.0, {"de": {"score": 1.0, "n": 1}}, 1)
    with pytest.raises(UserError, match=f"cannot write .*{name}: it is a folder"):
        result.write(tmp_path / "r.json", {"de": {"score": [[1, 1]]}})
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (tmp_path / name).rmdir()
    with pytest.raises(ValueError):  # while the outcomes are written
        result.write(tmp_path / "r.json", {"de": {"score": "none"}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        *({"task": 3}, {"system": None}, {"per_language": {}}, {"score": "high"}, {"n": None}),
        *({"config": []}, {"score": float("nan")}, {"per_language": {"de": {"score": 1}}}),
        {"per_language": {"de": {"score": 1, "n": 2, "baseline_f1": "x"}}},
        {"per_language": {"de": {"score": 1, "n": 2, "test_digest": []}}},
        {"per_language": {"de": {"score": 1e400, "n": 2}}},
        *({"score": True}, {"n": -1}, {"n": 2.0}, {"n": True}, {"n": 3}, {"score": 50}),
        *({"score": 1e9}, {"score": -5}, {"system": ""}, {"metric": ""}),
        {"per_language": {"de": {"score": True, "n": 2}}},
        {"per_language": {"de": {"score": 1, "n": 4}, "fr": {"score": 1, "n": -2}}},
        {"per_language": {"": {"score": 1, "n": 2}}},
        {"per_language": {"de": {"score": 1, "n": 2, "accuracy": True}}},
        *(
            {"per_language": {"de": {"score": 1, "n": 2, "layers": layers}}}
            for layers in ({"1": float("nan")}, {"1": "4"}, {"1": True}, {"-7": 4}, {"x": 4}, [1])
        ),
    ],
)
def test_a_result_with_other_values_is_refused(change, tmp_path):
    path = tmp_path / "x.json"
    content = {
        **{"task": "t", "metric": "m", "system": "s", "score": 1, "n": 2, "config": {}},
        "per_language": {"de": {"score": 1, "n": 2}},
    }
    path.write_text(json.dumps(content))
    assert read_result(path).n == 2
    path.write_text(json.dumps({**content, **change}))
    with pytest.raises(UserError, match=r"x\.json is not a result"):
        read_result(path)


def test_a_task_that_leads_out_of_the_report_is_refused(tmp_path):
    path = tmp_path / "x.json"
    Result("../../x", "m", "s", 1.0, {"de": {"score": 1.0, "n": 1}}, 1).write(path)
    with pytest.raises(
        UserError, match=r"x\.json: the task '\.\./\.\./x' cannot be part of a file"
    ):
        read_result(path)


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
