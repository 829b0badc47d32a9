"""Which files `aer` scores: two files, two folders, or those of several layers."""

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.alignment_files import find_alignments


@pytest.fixture
def make(tmp_path):
    def run(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return run


def names_of(found):
    return {layer: [(f.name, f.predicted.name) for f in files] for layer, files in found.items()}


def test_files_and_folders_without_layers(make):
    folder = make("p/test.de-en.align", "p/test.de-en.align.settings", "g/test.de-en.gold")
    one = find_alignments(folder / "p" / "test.de-en.align", folder / "g" / "test.de-en.gold")
    assert names_of(one) == {None: [("de-en", "test.de-en.align")]}
    assert find_alignments(folder / "p", folder / "g") == one


def test_layers_are_folders_for_folders_and_files_for_a_file(make):
    pairs = [f"p/layer-{n}/test.{pair}.align" for n in (10, 9) for pair in ("de-en", "fr-en")]
    folder = make(*pairs, "g/test.de-en.gold", "g/test.fr-en.naacl.gz", "p/notes.txt")
    found = find_alignments(folder / "p", folder / "g")
    files = [("de-en", "test.de-en.align"), ("fr-en", "test.fr-en.align")]
    assert names_of(found) == {9: files, 10: files} and list(found) == [9, 10]
    assert found[10][1].gold.name == "test.fr-en.naacl.gz"

    make("q/layer-0.align", "q/layer-0.align.scores", "q/layer-12.align.gz")
    found = find_alignments(folder / "q", folder / "g" / "test.de-en.gold")
    assert names_of(found) == {
        0: [("de-en", "layer-0.align")],
        12: [("de-en", "layer-12.align.gz")],
    }


@pytest.mark.parametrize(
    "files, gold, message",
    [
        (["p/layer-1.align"], "g", "has a file for each layer, so that GOLD must be a file, too"),
        (["p/layer-1/x.align"], "g/x.gold", "so that GOLD must be a folder, too"),
        (["p/layer-1/x.align", "p/y.align"], "g", "has layer-1 and y.align; the links of several"),
        (["p/layer-1/x.align", "p/layer-2.align"], "g", "has layer-1 and layer-2.align"),
        (["p/layer-1.align", "p/layer-1.align.gz"], "g/x.gold", "layer-1.align.gz; the links of"),
        (["p/layer-1/x.align", "p/layer-2/y.align"], "g", "layer-2 has other files than layer-1"),
        (["p/layer-1/z.align"], "g", "z.gold is missing: there is no gold for"),
        (["p/layer-1/z"], "g", "layer-1 has no files <name>.align"),
    ],
)
def test_a_folder_that_is_not_clear_is_refused(make, files, gold, message):
    folder = make(*files, "g/x.gold", "g/y.gold")
    with pytest.raises(UserError, match=message):
        find_alignments(folder / "p", folder / gold)
