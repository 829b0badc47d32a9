"""The page of the papers' numbers: its averages follow from its rows, but for those that it names,
its tables agree with each other, and our numbers in it are those of the pages that it links."""

import re

import pytest

from doc_pages import ROOT, text_of

PAGE = text_of(ROOT / "docs/results/papers.md")
SEEN = {"XNLI": "en bg de el es fr".split(), "XQuAD": "en de el es".split()}
# The numbers have one decimal: their mean is right to 0.05, and so is what is printed of it.
ROUNDING = 0.1 + 1e-9
FLAWED = "What does not add up"


def tables(text: str = PAGE) -> "dict[str, list[dict[str, str]]]":
    """The rows of the first table under each heading, by column; further ones have #2, #3."""
    found: dict = {}
    title, head = "", None
    for line in text.splitlines():
        if line.startswith("#"):
            title, head = line.lstrip("# "), None
        elif not line.startswith("|"):
            head = None
        else:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if head is None:
                number = sum(name.partition("#")[0] == title for name in found)
                head, key = cells, title if not number else f"{title}#{number + 1}"
                found[key] = []
            elif set(cells[0]) - set("-:"):
                found[key].append(dict(zip(head, cells)))
    return found


TABLES = tables()
FLAWS = {(row["table"], row["row"]): row for row in TABLES[FLAWED]}


def averages():
    """(table, row's name, printed average, mean of the row) of every average on the page."""
    for title, rows in TABLES.items():
        for row in rows:
            name, *numbers, last = row.values()
            column = list(row)[-1]
            if column in ("avg", "Avg"):
                for part in range(last.count("/") + 1):
                    values = [float(number.split("/")[part]) for number in numbers]
                    yield title, name, float(last.split("/")[part]), sum(values) / len(values)
            elif column == "seen / all":
                seen = [float(row[lang]) for lang in SEEN[re.search("XNLI|XQuAD", title)[0]]]
                for printed, values in zip(last.split("/"), (seen, [float(n) for n in numbers])):
                    yield title, name, float(printed), sum(values) / len(values)


def test_the_page_has_all_averages_of_both_papers():
    counted: dict = {}
    for title, *_ in averages():
        counted[title] = counted.get(title, 0) + 1
    assert counted == {
        "POS": 9, "PAWS-X": 9, "XNLI": 9, "Tatoeba": 9,
        "Table 2, XNLI": 10, "Table 2, XQuAD F1": 10, "Table 2, XQuAD EM": 10,
        "Table 4": 5, "Table 7, XNLI": 4, "Table 7, XQuAD": 12, "Table 8": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    "title, name, printed, mean", list(averages()), ids=lambda value: str(value)[:20]
)
def test_an_average_follows_from_its_row_unless_the_page_says_that_it_does_not(
    title, name, printed, mean
):
    flaw = FLAWS.get((title, name))
    assert (abs(printed - mean) > ROUNDING) == (flaw is not None)
    if flaw:
        assert float(flaw["printed"]) == printed
        assert abs(float(flaw["mean of the row"]) - mean) < 0.05 + 1e-9


def test_ambers_table_of_averages_repeats_the_tables_by_language():
    for task in ("POS", "PAWS-X", "XNLI", "Tatoeba"):
        printed = {row["model"]: row[task] for row in TABLES["Averages"]}
        for row in TABLES[task]:
            name = row["model"].replace("(+WA", "(MLM+TLM+WA")
            assert printed.pop(name) == list(row.values())[-1], (task, name)
        assert set(printed) == {"Unicoder"}


def test_transports_first_table_repeats_the_seen_averages():
    first = {row["model"]: row for row in TABLES["Table 1"]}
    for name, other in (("mBERT+ (own run)", "mBERT"), ("L2+ (Cao)", "L2"), ("WordOT", "WordOT")):
        for column in ("XNLI F1", "XQuAD F1", "XQuAD EM"):
            table = TABLES["Table 2, XNLI" if column == "XNLI F1" else f"Table 2, {column}"]
            (row,) = [row for row in table if row["model"] == other]
            assert first[name][column] == row["seen / all"].split("/")[0]
    for row in TABLES["Table 7, XNLI"]:
        if row["model"] in first:
            assert first[row["model"]]["XNLI F1"] == row["avg"]


def test_our_columns_are_marked_and_their_numbers_are_on_the_pages_they_are_from():
    theirs = set()
    for title, rows in TABLES.items():
        for row in rows:
            theirs |= {column for column in row if "ours" in column.lower()}
            for column, cell in row.items():
                if column.startswith("ours, small") and cell:
                    pages = (ROOT / "docs/results").glob("*-cpu-*.md")
                    assert any(cell in text_of(page) for page in pages), (title, column, cell)
    assert theirs and all(column.startswith("ours, small: ") for column in theirs)


def test_a_number_of_ours_is_in_the_row_that_it_stands_for():
    """Retrieval after all four objectives, and the two transfer systems, cell by cell."""
    ablation = text_of(ROOT / "docs/results/ablation-cpu-2026-11-27.md")
    mean = re.search(r"^\| mean +\|(.*)\|$", ablation, flags=re.M)[1].replace("*", "").split("|")
    rows = [row for row in TABLES["Averages"] if row["model"].startswith("AMBER")]
    assert [row["ours, small: retrieval"] for row in rows] == [cell.strip() for cell in mean]
    transfer = text_of(ROOT / "docs/results/transfer-cpu-2026-11-28.md")
    for task, score in (("POS", "pos: F1"), ("PAWS-X", "pawsx"), ("XNLI", "xnli")):
        part = transfer[transfer.index(f"*{score}") + 1 :].split("\n| *", 1)[0]
        by_language = {
            cells[1].strip(): [cell.replace("*", "").strip() for cell in cells[3:5]]
            for cells in (line.split("|") for line in part.splitlines()[1:])
            if len(cells) > 4
        }
        for row in TABLES[f"{task}#2"]:
            ours = [cell for column, cell in row.items() if column.startswith("ours")]
            assert ours == by_language[row["language"]]
