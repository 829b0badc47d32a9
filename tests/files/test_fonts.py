import pytest

from fairseq_amber.files import fonts
from fairseq_amber.files.fonts import font_families


@pytest.fixture
def warnings(monkeypatch):
    found = []
    monkeypatch.setattr(fonts, "warn", found.append)
    return found


def test_installed_fonts_draw_latin_and_cyrillic(warnings):
    assert font_families(["Haus", "дом", "öğretmen"]) == ["DejaVu Sans"]
    assert warnings == []


def test_fonts_complete_each_other_and_one_line_names_what_is_missing(monkeypatch, warnings):
    installed = [("First", set("ab")), ("Unneeded", set("a")), ("Second", set("红"))]
    monkeypatch.setattr(fonts, "_installed", lambda: installed)
    assert font_families(["ab", "红"]) == ["First", "Second"]
    assert warnings == []
    assert font_families(["a", "红房"]) == ["First", "Second"]
    [warning] = warnings
    assert "\n" not in warning and "1 of the picture's characters (房)" in warning
