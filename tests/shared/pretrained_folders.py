"""A tiny pretrained folder as it was published, and text in its vocabulary."""

from pathlib import Path

import pytest

from hugging_face_folders import LINES, save_xlmr


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory) -> Path:
    """A Hugging Face folder of an XLM-R of 2 layers of 16, with three rows that no token uses."""
    for package in ("transformers", "safetensors"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    return save_xlmr(tmp_path_factory.mktemp("published") / "xlmr", spare_rows=3)


@pytest.fixture(scope="session")
def pretrained_data(pretrained, tmp_path_factory) -> Path:
    """Text of German-English pairs that ``prepare`` binarised in the folder's vocabulary."""
    from fairseq_amber.preparation.corpus.pipeline import prepare

    raw = tmp_path_factory.mktemp("raw")
    for split, times in (("train", 8), ("valid", 2)):
        for side, language in enumerate(("de", "en")):
            text = "".join(f"{line}\n" for line in LINES[side::2] * times)
            (raw / f"{split}.de-en.{language}").write_text(text, encoding="utf-8")
    data = tmp_path_factory.mktemp("prepared") / "data-bin"
    prepare(raw, data, tokenizer=pretrained, workers=1)
    return data
