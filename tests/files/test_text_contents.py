import pytest

from fairseq_amber.files.text_contents import index_column, is_visible


@pytest.mark.parametrize(
    "text", ["", " \t\r\n", "\u200b\ufeff\u00ad\u2060", "\u3000\x1b\x85", "\u3164\u2800"]
)
def test_what_cannot_be_seen(text):
    assert not is_visible(text)
    assert is_visible(text + "।")


def test_letters_marks_and_unknown_characters_are_seen():
    assert all(is_visible(text) for text in ("\u0301", "\ue000", "\u0378", "0", "狗"))


@pytest.mark.parametrize(
    "first, written",
    [
        ("{i}\tSatz", "1, 2, 3"),
        ("{i} Satz", "1, 2, 3"),
        ("{i}. Satz", "1, 2, 3"),
        ("{i}) Satz", "1, 2, 3"),
        ("de-{i:06}\tSatz", "de-000001, de-000002, de-000003"),  # as BUCC's
        ("{square}\tSatz", "1, 4, 9"),  # as Tatoeba's
    ],
)
def test_an_index_is_found(first, written):
    lines = [first.format(i=i, square=i * i) for i in range(1, 8)]
    assert index_column(lines) == written
    assert index_column(lines[:4]) == ""
    assert index_column([*lines, "Satz"]) == ""
    assert index_column([*lines, lines[0]]) == ""


@pytest.mark.parametrize(
    "first", ["{i}", "{square} Hunde", "Satz {i} ist", "w{i} w", "{i}Satz", "{i}\t"]
)
def test_numbers_that_are_text(first):
    assert index_column([first.format(i=i, square=i * i) for i in range(1, 8)]) == ""
