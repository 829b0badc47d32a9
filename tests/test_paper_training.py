"""The papers' recipes on a toy corpus, from raw text to the tables."""

import json
import shutil

import pytest
import torch

from fairseq_amber.cli import main
from fairseq_amber.files.torch_file import read_torch_file
from wordpiece_samples import vocabulary_of


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Raw text, Tatoeba's files, XTREME's folder, and a tiny BERT of Hugging Face."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    folder = tmp_path_factory.mktemp("raw")
    sizes = "--train-sentences 200 --valid-sentences 20 --test-sentences 20 --mono-sentences 200"
    pairs = ["--pairs", "de-en", "ru-en"]
    assert main(["demo-corpus", str(folder / "raw"), *sizes.split(), *pairs]) == 0
    text = {
        (split, language): (folder / "raw" / f"{split}.de-en.{language}").read_text().splitlines()
        for split in ("train", "valid", "test")
        for language in ("de", "en")
    }
    (folder / "tatoeba").mkdir()
    for language in ("de", "en"):
        source = folder / "raw" / f"test.de-en.{language}"
        shutil.copy(source, folder / "tatoeba" / f"tatoeba.de-en.{language}")
    for task, labels in (("pawsx", "01"), ("xnli", ("entailment", "neutral", "contradiction"))):
        (folder / "xtreme" / task).mkdir(parents=True)
        for split, name, language in (
            ("train", "train", "en"),
            ("valid", "dev", "en"),
            ("test", "test", "en"),
            ("test", "test", "de"),
        ):
            lines = text[split, language][:32]
            rows = [
                f"{line}\t{lines[-1 - number]}\t{labels[number % len(labels)]}\n"
                for number, line in enumerate(lines)
            ]
            (folder / "xtreme" / task / f"{name}-{language}.tsv").write_text("".join(rows))
    (folder / "bert").mkdir()
    pieces = vocabulary_of([line for lines in text.values() for line in lines], 300)
    (folder / "bert" / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces))
    (folder / "bert" / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(pieces),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=130,
        pad_token_id=0,
    )
    transformers.BertForMaskedLM(config).save_pretrained(folder / "bert")
    return folder


def updates_of(checkpoint):
    return read_torch_file(checkpoint)["optimizer_history"][-1]["num_updates"]


@pytest.mark.slow
def test_the_whole_road_of_amber(run_recipe, recipe_checkout, corpus):
    settings = dict(
        SCALE="tiny",
        VARIANTS="mlm sa",
        LAYERS="1",  # each starts a command
        TASKS="pawsx",
        TATOEBA=str(corpus / "tatoeba"),
        XTREME=str(corpus / "xtreme"),
    )
    run_recipe("paper_amber", corpus / "raw", "amber", **settings)
    out = recipe_checkout / "runs" / "amber"
    assert updates_of(out / "mlm" / "checkpoint_last.pt") == 2
    assert updates_of(out / "sa" / "checkpoint_last.pt") == 2
    assert "+SA, layer 1" in (out / "report-tatoeba" / "report.md").read_text()
    report = (out / "transfer" / "report" / "report.md").read_text()
    assert "MLM" in report and "+SA" in report
    # the same command finds everything done, another one is refused
    said = run_recipe("paper_amber", corpus / "raw", "amber", **settings)
    assert "bash scripts/pretrain_amber.sh" not in said
    said = run_recipe("paper_amber", corpus / "raw", "amber", status=2, **settings, LR="1")
    assert "holds other settings than these" in said


@pytest.mark.slow
def test_the_whole_road_of_transport(run_recipe, recipe_checkout, corpus):
    settings = dict(
        SCALE="tiny",
        LANGUAGES="de ru",
        SYSTEMS="WordOT",
        WORD_BOUNDARIES="punctuation",
        TASKS="xnli",
        SEEN_XNLI="de",
        MBERT=str(corpus / "bert"),
        XTREME=str(corpus / "xtreme"),
    )
    said = run_recipe("paper_ot", corpus / "raw", "ot", **settings)
    assert "WordOT: 2 updates of 16 pairs of each of 2 languages" in said
    out = recipe_checkout / "runs" / "ot"
    assert len((out / "raw" / "train.ru-en.ru").read_text().splitlines()) == 32
    assert updates_of(out / "WordOT" / "checkpoint_last.pt") == 2
    for report in (out / "transfer" / "report", out / "report-seen"):
        text = (report / "report.md").read_text()
        assert all(system in text for system in ("mBERT", "WordOT"))
    seen = json.loads((out / "transfer" / "xnli-WordOT" / "1" / "seen.json").read_text())
    everything = json.loads((out / "transfer" / "xnli-WordOT" / "1" / "test.json").read_text())
    assert set(seen["per_language"]) == {"de"} and set(everything["per_language"]) == {"de", "en"}
