"""Text that lies where no corpus is looked for is found, and what is in its place is not."""

import pytest

from fairseq_amber.data.alignment.misplaced import misplaced

LEFT = [
    ("train.idx", "move train.bin and train.idx to {data}/mono/<language>/"),
    (
        "train.de-en.de.idx",
        "move train.de-en.de.bin and train.de-en.de.idx to {data}/parallel/de-en/",
    ),
    ("train.de-None.de.idx", "move its two files to {data}/mono/de/train.bin and .idx"),
    ("de/train.idx", "move its folder into {data}/mono/"),
    ("mono/de/train.de-None.de.idx", "rename its two files to train.bin and train.idx"),
    ("mono/de/train", "binarise with fairseq-amber prepare, or .* --dataset-impl mmap"),
    ("parallel/de-en/train.de-en.de", "binarise with fairseq-amber prepare"),
    ("parallel/de-en/train.en-de.de.idx", "name the folder en-de"),
    ("parallel/de-en/train.idx", "move its two files to {data}/mono/<language>/train.bin"),
    ("mono/de/train1.idx", "has train1 but no train: the files of a split are train, train1"),
    ("parallel/de-en/train1.de-en.de.idx", "has train1 but no train"),
]


def write(data, *names):
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()


@pytest.mark.parametrize("name, remedy", LEFT)
def test_what_is_left_over(tmp_path, name, remedy):
    write(tmp_path, name)
    [found] = misplaced(tmp_path, "train")
    place, remedy = tmp_path / name, remedy.format(data=tmp_path)
    assert str(place.parent if "but no" in remedy else place) in found
    assert remedy.split(" .* ")[0] in found
    assert not misplaced(tmp_path, "valid")


def test_a_gap(tmp_path):
    write(tmp_path, "mono/de/train.idx", "mono/de/train1.idx", "mono/de/train3.idx")
    [found] = misplaced(tmp_path, "train")
    assert "has train3 but no train2" in found


def test_what_is_in_its_place(tmp_path):
    pair = [f"train{n}.de-en.{side}.idx" for n in ("", "1") for side in ("de", "en")]
    write(tmp_path, *(f"parallel/de-en/{name}" for name in pair))
    write(tmp_path, *(f"parallel/pt-BR-en/train.pt-BR-en.{side}.idx" for side in ("pt-BR", "en")))
    write(tmp_path, "mono/de/train.idx", "mono/de/train1.idx", "mono/de/dict.txt", "dict.txt")
    write(tmp_path, "mono/de/training.idx", "mono/.hidden/train.de-None.de.idx")
    assert not misplaced(tmp_path, "train")
