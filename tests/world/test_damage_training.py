"""Training names what is damaged in its data in one line, before it begins."""

import shutil
from pathlib import Path

import pytest

from fairseq_amber.data.alignment.needs import LinkSettings, Needs
from toy_corpora import data_folder  # noqa: F401  (whose words are noise)

SIDE = "parallel/de-en/train.de-en.de"


@pytest.fixture
def refusal(word_folder, link_folder, make_task, tmp_path):
    """Damages a copy of a data folder or of its links; returns what training on them says."""
    data = shutil.copytree(word_folder, tmp_path / "data-bin")
    links = shutil.copytree(link_folder, tmp_path / "links")

    def train(name: str, damage) -> str:
        path = Path(data if (data / name).exists() else links, name)
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(SystemExit) as ended:
            task = make_task(data=str(data))
            task.needs = Needs(links=LinkSettings(folder=str(links)))
            task.load_dataset("train")
        return str(ended.value)

    return train


def flip(place: int, bits: int):
    return lambda content: content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :]


@pytest.mark.parametrize(
    "name, damage, message",
    [
        (f"{SIDE}.idx", flip(26 + 4 * 30 + 2, 1), f"{SIDE}.idx is damaged: the sizes and places"),
        (f"{SIDE}.idx", flip(26 + 4 * 90 + 8 * 30, 2), f"{SIDE}.idx is damaged: the sizes and"),
        (f"{SIDE}.idx", lambda content: content[:-1], f"{SIDE}.idx is damaged or cut short"),
        (f"{SIDE}.bin", lambda content: content + b"\0\0", f"{SIDE}.bin has "),
        (f"{SIDE}.bin", flip(1, 64), f"{SIDE}.bin holds token "),
        (
            "mono/en/train.bin",
            lambda content: content[:-2] + b"\7\0",
            "a sentence that does not end",
        ),
        ("dict.txt", lambda content: content[:-2], "dict.txt:40: expected 'symbol count'"),
        ("train.de-en.align", lambda content: b"7" + content, "train.de-en.align:"),
        ("train.de-en.align", lambda content: content[:90], "train.de-en.align"),
    ],
)
def test_training_does_not_begin_on_damaged_data(refusal, name, damage, message):
    """A wrong size in an .idx trained on the ids of other sentences, without a word."""
    said = refusal(name, damage)
    assert message in said and "\n" not in said
