"""What prepare writes, unmodified fairseq trains on."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber.preparation.corpus.pipeline import prepare
from fairseq_amber.preparation.corpus.settings import VocabularySettings
from fairseq_programs import run_fairseq

TINY = (
    "--arch roberta --criterion masked_lm --encoder-layers 1 --encoder-embed-dim 16 "
    "--encoder-ffn-embed-dim 16 --encoder-attention-heads 2 --tokens-per-sample 64 "
    "--optimizer adam --lr 0.001 --batch-size 8 --max-update 3 --cpu --no-save --num-workers 0"
).split()


@pytest.fixture(scope="module")
def data_bin(tmp_path_factory) -> Path:
    raw = tmp_path_factory.mktemp("raw")
    text = {"de": "der hund schläft", "ru": "собака спит", "zh": "狗睡觉"}
    for language, sentence in text.items():
        for split, count in (("train", 60), ("valid", 9)):
            lines = "".join(f"{sentence} {i}\n" for i in range(count))
            (raw / f"{split}.{language}").write_text(lines, encoding="utf-8")
            (raw / f"{split}.{language}-en.{language}").write_text(lines, encoding="utf-8")
            (raw / f"{split}.{language}-en.en").write_text("the dog sleeps\n" * count)
    out = tmp_path_factory.mktemp("data") / "bin"
    prepare(raw, out, vocabulary=VocabularySettings(vocab_size=60))
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder, task",
    [("mono/de", "masked_lm"), ("mono", "multilingual_masked_lm")],
)
def test_stock_fairseq_trains(data_bin: Path, tmp_path: Path, folder: str, task: str):
    given = ["--task", task, *TINY, "--save-dir", tmp_path]
    result = run_fairseq("train", data_bin / folder, *given)
    assert result.returncode == 0, result.stderr
    assert "num_updates 3" in result.stdout and "valid on 'valid" in result.stdout


def test_stock_translation_task_reads_pairs(data_bin: Path):
    from fairseq.tasks.translation import TranslationConfig, TranslationTask

    config = TranslationConfig(data=str(data_bin / "parallel/ru-en"), dataset_impl="mmap")
    task = TranslationTask.setup_task(config)
    task.load_dataset("train")
    assert (config.source_lang, config.target_lang) == ("ru", "en")
    sample = task.dataset("train")[7]
    dictionary = task.source_dictionary
    assert dictionary.string(sample["source"]).replace(" ", "") == "▁собака▁спит▁7"
    assert dictionary.string(sample["target"]).replace(" ", "") == "▁the▁dog▁sleeps"
