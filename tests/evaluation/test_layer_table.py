"""The table of scores by layer: the best of each column is marked, also among equal ones."""

from fairseq_amber.evaluation.layer_table import layer_table


def test_the_best_layers_of_each_pair_and_of_the_mean_are_marked():
    scores = {"de-en": {"0": 30.0, "8": 10.004, "12": 10.0}, "fr-en": {"0": 5, "8": 7, "12": 9}}
    rows = [line.split() for line in layer_table(scores, min).splitlines()]
    assert rows == [
        ["layer", "de-en", "fr-en", "mean"],
        ["0", "30.00", "*5.00", "17.50"],
        ["8", "*10.00", "7.00", "*8.50"],
        ["12", "*10.00", "9.00", "9.50"],
    ]
    one = layer_table({"de-en": scores["de-en"]}, max).splitlines()
    assert [line.split() for line in one[:2]] == [["layer", "de-en"], ["0", "*30.00"]]
