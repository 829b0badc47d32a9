import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.pictures import (
    both_formats,
    check_format,
    import_matplotlib,
    save_picture,
)


@pytest.mark.parametrize(
    "given, names",
    [("a.png", ["a.png", "a.svg"]), ("a.SVG", ["a.SVG", "a.png"]), ("a.pdf", ["a.pdf"])],
)
def test_png_and_svg_go_together(given, names, tmp_path):
    assert both_formats(tmp_path / given) == [tmp_path / name for name in names]
    _, Figure = import_matplotlib()
    for path in both_formats(tmp_path / given):
        save_picture(Figure(), path)
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_a_figure_is_written_in_the_format_of_its_name(tmp_path):
    _, Figure = import_matplotlib()
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")):
        save_picture(Figure(), tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)


def test_another_format_and_a_missing_package_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"a\.jpg: a picture's name ends in \.png, \.svg, \.pdf"):
        check_format(tmp_path / "a.jpg")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match="matplotlib is missing; pip install matplotlib"):
        import_matplotlib()
