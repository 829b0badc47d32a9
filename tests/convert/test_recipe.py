"""``scripts/continue_xlmr.sh``, from a toy XLM-R folder to Hugging Face's."""

import pytest

SETTINGS = dict(
    UPDATES="3",
    LENGTH="48",
    MAX_TOKENS="1500",
    UPDATE_TOKENS="1500",
    SAVE_EVERY="2",
    WORKERS="0",
    PROCESSES="1",
    TATOEBA="",
    GOLD="",
)


@pytest.mark.slow
def test_from_xlmr_to_hugging_face(run_recipe, recipe_checkout, fairseq_xlmr, sentences, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for split in ("train", "valid"):
        for language in ("de", "en"):
            lines = "".join(f"{language} {line.strip()}\n" for line in sentences)
            (raw / f"{split}.de-en.{language}").write_text(lines, encoding="utf-8")
            (raw / f"{split}.{language}").write_text(lines, encoding="utf-8")
    for _ in range(2):  # the second time all is done but the export
        run_recipe("continue_xlmr", fairseq_xlmr, raw, "continued", **SETTINGS)
    out = recipe_checkout / "runs" / "continued"
    assert (out / "checkpoint_last.pt").exists()
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model = transformers.AutoModelForMaskedLM.from_pretrained(out / "hugging-face")
    tokenizer = transformers.AutoTokenizer.from_pretrained(out / "hugging-face")
    assert len(tokenizer) <= model.config.vocab_size
