import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.score_tables import (
    as_json,
    build_sections,
    markdown,
    with_baselines,
)
from fairseq_amber.files.results import Result


def retrieval(system, forward, backward, pair="de-en", **config):
    parts = {"score": (forward + backward) / 2, "forward": forward, "backward": backward, "n": 100}
    return Result.from_languages("retrieval", "accuracy", system, {pair: parts}, config)


def on(test_digest, result, **config):
    """The result, measured on other test data."""
    for parts in result.per_language.values():
        parts["test_digest"] = test_digest
    result.config.update(config)
    return result


def aer(system, score, pair="de-en"):
    parts = {"score": score, "n": 100}
    return Result.from_languages("word_alignment", "AER", system, {pair: parts}, {})


def lines(results):
    systems = list(dict.fromkeys(result.system for result in results))
    table = markdown(build_sections(results), systems).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_both_directions_the_mean_and_the_best_in_bold():
    table = lines(
        [retrieval("MLM", 20, 10), retrieval("AMBER", 90, 80), aer("MLM", 70), aer("AMBER", 30)]
    )
    assert table[0] == ["", "MLM", "AMBER"]
    assert ["de → en", "20.0", "**90.0**"] in table
    assert ["en → de", "10.0", "**80.0**"] in table
    assert ["mean", "15.0", "**85.0**"] in table
    assert ["de-en", "70.0", "**30.0**"] in table
    assert ["*word alignment: AER %, lower is better*", "", ""] in table


def test_equal_as_printed_is_equally_best_and_one_system_has_no_best():
    assert ["de → en", "**50.0**", "**50.0**"] in lines(
        [retrieval("A", 50.01, 1), retrieval("B", 49.99, 1)]
    )
    assert ["de → en", "50.0"] in lines([retrieval("A", 50, 1)])


def test_a_second_metric_is_a_section_of_its_own():
    languages = {"de": {"score": 60, "em": 40, "n": 10}, "en": {"score": 80, "em": 60, "n": 10}}
    table = lines([Result.from_languages("xquad", "F1", "A", languages, {})])
    languages_and_mean = ["de", "en", "mean"]
    assert [row[0] for row in table[2:]] == [
        "*xquad: F1 %, higher is better*",
        *languages_and_mean,
        "*xquad: EM %, higher is better*",
        *languages_and_mean,
    ]
    assert [row[1] for row in table[2:]] == ["", "60.0", "80.0", "70.0", "", "40.0", "60.0", "50.0"]


def test_the_baselines_of_a_task_come_first_and_once():
    def result(system):
        parts = {"score": 60, "f1": 60, "em": 40, "baseline_f1": 3, "baseline_em": 1, "n": 10}
        return Result.from_languages("xquad", "F1", system, {"de": parts}, {"seed": system})

    table = lines(with_baselines([result("A"), retrieval("A", 50, 40), result("B")]))
    assert table[0] == ["", "baseline", "A", "B"]
    assert ["de", "3.0", "**60.0**", "**60.0**"] in table
    assert ["de", "1.0", "**40.0**", "**40.0**"] in table
    assert ["de → en", "", "50.0", ""] in table


def test_a_system_may_lack_a_number():
    table = lines([retrieval("A", 50, 40), retrieval("B", 60, 70, pair="en-tr")])
    assert ["de → en", "50.0", ""] in table
    assert ["en → tr", "", "60.0"] in table
    assert "mean" not in [row[0] for row in table]  # of other languages


def test_a_mean_is_of_all_languages_or_not_there():
    whole = [aer(name, score) for name, score in (("A", 20), ("B", 30), ("C", 10))]
    whole += [aer("A", 60, pair="en-tr"), aer("B", 40, pair="en-tr")]
    assert lines(whole)[-1] == ["mean", "40.0", "**35.0**", ""]  # C has the best of de-en alone
    assert lines(whole[:-1])[-1] == ["mean", "40.0", "", ""]


def test_runs_of_one_system_become_mean_and_sample_deviation():
    runs = [
        retrieval("A", forward, 50, checkpoint=str(forward), layer=4) for forward in (60, 70, 80)
    ]
    assert ["de → en", "70.0 ± 10.0"] in lines(runs)
    [section] = as_json(build_sections(runs))
    cell = section["rows"][-1]["systems"]["A"]
    assert section["rows"][-1]["label"] == "mean"
    assert cell["values"] == [55, 60, 65]
    assert cell["mean"] == 60 and cell["std"] == pytest.approx(5)


def test_results_that_split_up_the_languages_are_one_run():
    results = [aer("A", 20), aer("A", 40, pair="en-tr")]
    [section] = build_sections(results)
    assert section.rows[-1].cells["A"].values == (30,)


def test_runs_on_other_test_data_are_refused_wherever_their_files_lie():
    runs = [retrieval("A", score, score, test=f"folder{score}") for score in (20, 40)]
    assert ["de → en", "30.0 ± 14.1"] in lines(runs)  # of results without a digest
    assert ["de → en", "30.0 ± 14.1"] in lines([on("1", runs[0]), runs[1]])
    assert ["de → en", "30.0 ± 14.1"] in lines([on("1", run) for run in runs])
    with pytest.raises(UserError, match="of de-en .*: A on folder20 and A on folder40; "):
        build_sections([on("1", runs[0]), on("2", runs[1])])
    build_sections([on("1", runs[0]), on("2", retrieval("B", 1, 2))])
    build_sections([on("1", runs[0]), on("2", retrieval("A", 1, 2, pair="tr-en"))])


def test_splits_are_compared_where_both_have_one():
    build_sections([retrieval("A", 1, 2, split="test"), retrieval("A", 1, 2)])
    with pytest.raises(UserError, match="split test and dev"):
        build_sections([retrieval("A", 1, 2, split="test"), retrieval("A", 1, 2, split="dev")])


def test_runs_measured_differently_are_refused():
    with pytest.raises(UserError, match="two results of A on retrieval .* layer 4 and 2"):
        build_sections([retrieval("A", 1, 2, layer=4), retrieval("A", 1, 2, layer=2)])
