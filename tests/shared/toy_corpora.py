"""A toy data folder of monolingual and parallel text, its word links, and the task over it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq.data.indexed_dataset import MMapIndexedDataset, MMapIndexedDatasetBuilder
from omegaconf import OmegaConf

from fairseq_amber.data import blocks

WORDS = 40  # the toy dictionary's, beside the special symbols


def write_binarised(path: Path, sentences) -> None:
    """Writes a ``.bin`` / ``.idx`` pair as fairseq-preprocess does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    builder = MMapIndexedDatasetBuilder(f"{path}.bin", dtype=np.uint16)
    for sentence in sentences:
        builder.add_item(torch.tensor([*sentence, 2]))  # </s>
    builder.finalize(f"{path}.idx")


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory, random_sentences) -> Path:
    """mono: de 60, en 200; parallel: de-en 90, tr-en 30; valid: de 5, en 5, de-en 7."""
    folder = tmp_path_factory.mktemp("data-bin")
    (folder / "dict.txt").write_text("".join(f"w{word} 1\n" for word in range(WORDS)))
    for seed, (language, split, count) in enumerate(
        [("de", "train", 60), ("en", "train", 200), ("de", "valid", 5), ("en", "valid", 5)]
    ):
        write_binarised(folder / "mono" / language / split, random_sentences(count, seed))
    for seed, (pair, split, count) in enumerate(
        [("de-en", "train", 90), ("tr-en", "train", 30), ("de-en", "valid", 7)], start=10
    ):
        for side, language in enumerate(pair.split("-")):
            write_binarised(
                folder / "parallel" / pair / f"{split}.{pair}.{language}",
                random_sentences(count, 100 * seed + side),
            )
    return folder


@pytest.fixture(scope="session")
def word_folder(tmp_path_factory, data_folder) -> Path:
    """The toy data folder, whose even ids begin a word as SentencePiece writes it."""
    folder = tmp_path_factory.mktemp("words") / "data-bin"
    shutil.copytree(data_folder, folder, ignore=shutil.ignore_patterns("dict.txt"))
    (folder / "dict.txt").write_text(word_dictionary())
    return folder


def word_dictionary() -> str:
    """The toy dictionary, whose even ids begin a word."""
    starts = ("" if word % 2 else "\u2581" for word in range(WORDS))
    return "".join(f"{start}w{word} 1\n" for word, start in enumerate(starts))


@pytest.fixture(scope="session")
def link_folder(tmp_path_factory, word_folder) -> Path:
    """Random links, in Pharaoh format, of the words of each pair; some of a word with several."""
    return write_links(word_folder, tmp_path_factory.mktemp("links"))


def write_links(data: Path, folder: Path) -> Path:
    """Writes random links of all pairs of a data folder like ``word_folder``."""
    rng = np.random.default_rng(0)
    for index in sorted(data.glob("parallel/*/*.idx")):
        split, pair, language, _ = index.name.split(".")
        if language != pair.split("-")[0]:
            continue
        sides = (MMapIndexedDataset(f"{index.parent}/{split}.{pair}.{x}") for x in pair.split("-"))
        lines = []
        for sentences in zip(*sides):
            lengths = [1 + sum(int(token) % 2 == 0 for token in s[1:-1]) for s in sentences]
            links = rng.integers(0, lengths, (rng.integers(0, 6), 2)).tolist()
            lines.append(" ".join(f"{i}-{j}" for i, j in links) + "\n")
        (folder / f"{split}.{pair}.align").write_text("".join(lines))
    return folder


@pytest.fixture
def make_task(data_folder):
    """Builds the task on the toy data folder; keyword arguments override its config."""
    from fairseq_amber.tasks.cross_lingual_alignment import (
        CrossLingualAlignmentConfig,
        CrossLingualAlignmentTask,
    )

    def build(**overrides):
        settings = dict(data=str(data_folder), tokens_per_sample=64, seed=1)
        settings.update(update_freq=[1], train_subset="train", valid_subset="valid")
        settings.update(disable_validation=False)
        settings.update(best_checkpoint_metric="loss", maximize_best_checkpoint_metric=False)
        settings.update(overrides)
        cfg = OmegaConf.structured(CrossLingualAlignmentConfig(**settings))
        return CrossLingualAlignmentTask.setup_task(cfg)

    return build


def make_blocks_cheap(monkeypatch, tokens):
    """A further block costs so few tokens that toy micro-batches have several of each kind."""
    monkeypatch.setattr(blocks, "BLOCK_TOKENS", tokens)


@pytest.fixture
def folder(data_folder, tmp_path) -> Path:
    """A copy of the toy data folder, to be changed at will."""
    return Path(shutil.copytree(data_folder, tmp_path / "data-bin"))
