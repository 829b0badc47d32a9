import csv
import io

import pytest

from fairseq_amber.files.tables import csv_cell, markdown_table, markdown_text, plain_table


def test_tables_align_wide_and_combining_characters():
    plain = plain_table(["pair", "x"], [["红", "1.0"], ["e\u0301t", "10.0"]])
    assert plain.splitlines() == ["pair     x", "红     1.0", "e\u0301t    10.0"]
    table = markdown_table(["", "AB"], [["word", "1"]])
    assert table.splitlines() == ["|      | AB |", "| ---- | -: |", "| word |  1 |"]


@pytest.mark.parametrize("table", [plain_table, markdown_table])
def test_a_cell_is_one_line_without_commands(table):
    text = table(["a\nb"], [["\x1b[31mx\r"]])
    assert r"a\nb" in text and r"\x1b[31mx\r" in text
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(
    "text, markdown",
    [
        ("AMBER_base-v1.2, runs/a_b/x.pt: -1 (%)", "AMBER_base-v1.2, runs/a_b/x.pt: -1 (%)"),
        ("<script>&amp;", "&lt;script&gt;&amp;amp;"),
        ("a|b\n# c", r"a\|b\\n# c"),
        ("![x](javascript:y)", r"!\[x\](javascript:y)"),
        ("**a** _b_ `c` ~d~ $e$", r"\*\*a\*\* \_b\_ \`c\` \~d\~ \$e\$"),
        ("# a", r"\# a"),
        ("- a", r"\- a"),
        ("1. a", r"1\. a"),
        ("1.5", "1.5"),
    ],
)
def test_markdown_shows_a_text_as_it_is(text, markdown):
    assert markdown_text(text) == markdown


def test_a_renderer_of_markdown_shows_a_text_as_it_is():
    renderer = pytest.importorskip("markdown_it").MarkdownIt("js-default")
    texts = ["<b>x</b> | y", "![x](y) *z* _z_ `q`", "# a", "- a", "1. a", "a_b <- c & d", "+ a"]
    for text in texts:
        html = renderer.render(markdown_table([markdown_text(text)], [["1"]])).split("</th>")[0]
        shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert html.endswith(f"<th>{shown}"), html
        assert renderer.render(markdown_text(text)) == f"<p>{shown}</p>\n"


@pytest.mark.parametrize(
    "value, cell",
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("－1+1", "'－1+1"),
        ("\t=1", r"\t=1"),
        *((x, x) for x in ("-0.5", "+3", "-1e-3", -0.5, -3, "", "AMBER", "a=b", "de-en")),
    ],
)
def test_a_spreadsheet_takes_no_text_for_a_formula_and_keeps_numbers(value, cell):
    assert csv_cell(value) == cell
    out = io.StringIO()
    csv.writer(out).writerow([csv_cell(value)])
    [[read]] = csv.reader(io.StringIO(out.getvalue())) if value != "" else [[""]]
    assert read == str(cell)
