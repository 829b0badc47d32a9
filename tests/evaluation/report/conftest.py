"""Results of two systems, for the tests of reports."""

import pytest

GOLD = ["0-0 1-1 2-2", "0-0 1p1", "0-1 1-0", "0-0", "0-0 1-1", "0-2 1-1 2-0"]
GOOD = ["0-0 1-1 2-2", "0-0", "0-1 1-0", "0-0", "0-0 1-1", "0-2 1-1 2-0"]
BAD = ["0-1", "0-1", "0-0 1-1", "1-0", "0-1 1-0", "0-0 1-0"]


@pytest.fixture
def results(fairseq_amber_command, tmp_path):
    """AER of a good system, twice, and of a bad one, with the outcomes of their pairs."""
    gold = tmp_path / "test.de-en.gold"
    gold.write_text("\n".join(GOLD) + "\n")
    paths = []
    for number, (system, lines) in enumerate([("good", GOOD), ("good", GOOD), ("bad", BAD)]):
        predicted, result = tmp_path / "test.de-en.align", tmp_path / f"r{number}.json"
        predicted.write_text("\n".join(lines) + "\n")
        arguments = [predicted, gold, "--name", system, "--json", result]
        assert fairseq_amber_command("aer", *arguments)[0] == 0
        paths.append(result)
    return paths
