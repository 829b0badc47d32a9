"""A folder in BUCC's layout, two texts with the vectors of their lines, and runs of the command."""

import json

import numpy as np
import pytest

WORDS = "ein rotes Haus steht am See der Hund schläft heute ja wir sehen zwei alte Bäume".split()


def sentences(seed, count):
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, generator.integers(2, 6))) for _ in range(count)]


def near(sentence):
    """What the toy encoder finds close: it knows no translation."""
    return sentence + " ."


def _write_split(folder, split, seed, gold=None):
    shared, source, target = sentences(seed, 8), sentences(seed + 1, 12), sentences(seed + 2, 12)
    sides = {"de": shared + source, "en": [near(s) for s in shared][::-1] + target}
    for language, lines in sides.items():
        text = "".join(f"{language}-{i}\t{line}\n" for i, line in enumerate(lines))
        (folder / f"de-en.{split}.{language}").write_text(text, encoding="utf-8")
    pairs = [(i, 7 - i) for i in range(8)] if gold is None else gold
    text = "".join(f"de-{i}\ten-{j}\n" for i, j in pairs)
    (folder / f"de-en.{split}.gold").write_text(text)


@pytest.fixture
def write_split():
    """Writes a split of `de-en`: 20 sentences of each side, of which the first 8 have a partner, in
    reverse order; `gold` holds other pairs instead."""
    return _write_split


@pytest.fixture
def bucc(tmp_path):
    folder = tmp_path / "bucc"
    folder.mkdir()
    _write_split(folder, "dev", 10)
    _write_split(folder, "test", 20)
    return folder


@pytest.fixture
def arrays(tmp_path, encoder):
    """Texts of 12 lines, some blank or repeated, and the vectors of their lines."""
    sides = []
    for name, seed in (("x", 3), ("y", 4)):
        lines = sentences(seed, 12)
        lines[5], lines[8] = "", lines[2]
        (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        np.save(tmp_path / f"{name}.npy", encoder.embed(lines).numpy())
        sides.append(lines)
    return tmp_path


@pytest.fixture
def mine(fairseq_amber_command):
    """Runs `fairseq-amber mine`; returns its result, where `out` names a JSON, and its output."""

    def run(*flags, out=None):
        status, text, err = fairseq_amber_command("mine", *flags, *(["--json", out] if out else []))
        assert status == 0, err
        return (json.loads(out.read_text()) if out else None), text

    return run
