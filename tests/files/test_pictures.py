import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.loss_curves import plot_curves, read_curves
from fairseq_amber.files import fonts
from fairseq_amber.files.fonts import font_families
from fairseq_amber.files.pictures import both_formats
from fairseq_amber.files.tables import markdown_table, plain_table
from fairseq_amber.inference.word_alignment.plot import plot_alignment


def size(path):
    from matplotlib.image import imread

    return imread(path).shape[:2]


@pytest.fixture
def logdir(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    for part in ("train_inner", "train", "valid"):
        with SummaryWriter(str(tmp_path / "run" / part)) as writer:
            for update in (10, 20, 30):
                writer.add_scalar("mlm_loss", 100 / update, update)
                writer.add_scalar("best_loss", 1, update)
                writer.add_scalar("wps", 5000, update)
            if part == "train_inner":  # resumed at 20: the later value of 30 counts
                writer.add_scalar("mlm_loss", 0.5, 30)
    return tmp_path / "run"


def test_curves_hold_the_losses_alone_and_the_last_value_of_an_update(logdir):
    curves = read_curves(logdir)
    assert set(curves.train) == set(curves.valid) == {"mlm_loss"}
    assert curves.train["mlm_loss"].updates == [10, 20, 30]
    assert curves.train["mlm_loss"].values == [10, 5, 0.5]


def test_curves_fall_back_to_epochs(logdir):
    (logdir / "train_inner").rename(logdir / "other")
    assert read_curves(logdir).train["mlm_loss"].values[-1] == pytest.approx(100 / 30)


def test_a_folder_without_curves_is_refused(tmp_path):
    with pytest.raises(UserError, match="--tensorboard-logdir"):
        read_curves(tmp_path)


def test_draws_curves_in_every_format(logdir, tmp_path):
    curves = read_curves(logdir)
    paths = [tmp_path / "a.png", tmp_path / "a.svg"]
    plot_curves({"one": curves, "two": curves}, paths)
    assert min(size(paths[0])) > 300
    assert "<svg" in paths[1].read_text()


def test_draws_an_alignment_that_grows_with_its_sentences(tmp_path):
    words = ["Yaşlı", "öğretmenler", "видят", "."]
    plot_alignment(np.eye(4), words, words, [(0, 0)], [tmp_path / "a.png"])
    plot_alignment(np.eye(4).repeat(4, 0), words * 4, words, [], [tmp_path / "b.png"])
    assert size(tmp_path / "b.png")[0] > size(tmp_path / "a.png")[0] + 500
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    "given, names",
    [("a.png", ["a.png", "a.svg"]), ("a.SVG", ["a.SVG", "a.png"]), ("a.pdf", ["a.pdf"])],
)
def test_png_and_svg_go_together(given, names, tmp_path):
    assert both_formats(tmp_path / given) == [tmp_path / name for name in names]
    plot_alignment(np.eye(1), ["a"], ["a"], [], both_formats(tmp_path / given))
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_a_picture_that_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(UserError, match="side without words"):
        plot_alignment(np.zeros((0, 1)), [], ["a"], [], [tmp_path / "a.png"])
    with pytest.raises(UserError, match=r"ends in \.png"):
        plot_alignment(np.eye(1), ["a"], ["a"], [], [tmp_path / "a.jpg2"])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        plot_alignment(np.eye(1), ["a"], ["a"], [], [tmp_path / "file" / "a.png"])


def test_installed_fonts_draw_latin_and_cyrillic(caplog):
    assert font_families(["Haus", "дом", "öğretmen"]) == ["DejaVu Sans"]
    assert not caplog.records


def test_fonts_complete_each_other_and_one_line_names_what_is_missing(monkeypatch, caplog):
    installed = [("First", set("ab")), ("Unneeded", set("a")), ("Second", set("红"))]
    monkeypatch.setattr(fonts, "_installed", lambda: installed)
    assert font_families(["ab", "红"]) == ["First", "Second"]
    assert not caplog.records
    assert font_families(["a", "红房"]) == ["First", "Second"]
    (warning,) = caplog.messages
    assert "\n" not in warning and "1 of the picture's characters (房)" in warning


def test_tables_align_wide_and_combining_characters():
    plain = plain_table(["pair", "x"], [["红", "1.0"], ["e\u0301t", "10.0"]])
    assert plain.splitlines() == ["pair     x", "红     1.0", "e\u0301t    10.0"]
    table = markdown_table(["", "AB"], [["word", "1"]])
    assert table.splitlines() == ["|      | AB |", "| ---- | -: |", "| word |  1 |"]
