"""Tokens that were added to a tokenizer keep their rows; transformers is the witness."""

import json
import shutil

import pytest
import torch

from fairseq_amber import load
from fairseq_amber.cli import main
from hugging_face_folders import means, save_bert, save_xlmr, with_added_tokens

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

NEW, MARKS = ["Zeppelin", "Quark"], ["<e1>", "</e1>"]
LINES = [
    "der rote Hund",
    "<e1> Zeppelin </e1> der Quark",
    "derZeppelinrote  Quark<e1>",
    "<e1>",
    "  Zeppelin ",
    "ＺeppelinＱuark heute",
]


@pytest.fixture(scope="module", params=["xlmr", "bert", "bert-of-transformers-4"])
def folder(request, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param)
    save = save_xlmr if request.param == "xlmr" else save_bert
    found = with_added_tokens(save(place / "base"), place / "added", NEW, MARKS)
    if request.param == "bert-of-transformers-4":
        (found / "tokenizer.json").unlink()
        shutil.copy(place / "base" / "vocab.txt", found)
        rows = len((found / "vocab.txt").read_text(encoding="utf-8").splitlines())
        listed = {token: rows + i for i, token in enumerate([*NEW, *MARKS])}
        (found / "added_tokens.json").write_text(json.dumps(listed))
    return found


def test_added_tokens_keep_their_rows_there_and_back(folder, tmp_path, capsys):
    """Tokens of ``add_tokens`` and their trained rows were lost without a word
    (huggingface/transformers#2468, #1730): vectors were off by 0.3 to 1.0."""
    assert main(["convert", str(folder), str(tmp_path / "ours")]) == 0
    assert "left out" not in capsys.readouterr().out
    encoder = load(tmp_path / "ours" / "model.pt", device="cpu")
    expected = means(folder, LINES)
    torch.testing.assert_close(encoder.embed(LINES), expected, atol=1e-5, rtol=1e-5)
    assert main(["convert", str(tmp_path / "ours" / "model.pt"), str(tmp_path / "back")]) == 0
    torch.testing.assert_close(means(tmp_path / "back", LINES), expected, atol=1e-5, rtol=1e-5)
    first, second = map(transformers.AutoTokenizer.from_pretrained, (folder, tmp_path / "back"))
    for line in LINES:
        assert first.tokenize(line) == second.tokenize(line), line
    decoded = [
        t.decode(t(LINES[1])["input_ids"], skip_special_tokens=True) for t in (first, second)
    ]
    assert decoded[0].split() == decoded[1].split() and "<e1>" not in decoded[1]


def test_text_is_prepared_with_added_tokens(folder, tmp_path):
    """A data folder that is made with the tokenizer finds them, from either folder."""
    (tmp_path / "raw").mkdir()
    for split in ("train", "valid"):
        (tmp_path / "raw" / f"{split}.de").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    assert main(["convert", str(folder), str(tmp_path / "ours")]) == 0
    arguments = ["prepare", str(tmp_path / "raw"), str(tmp_path / "data"), "--workers", "1"]
    assert main([*arguments, "--tokenizer", str(tmp_path / "ours")]) == 0
    dictionaries = [(tmp_path / f / "dict.txt").read_bytes() for f in ("ours", "data")]
    assert dictionaries[0] == dictionaries[1]
    encoder = load(tmp_path / "ours" / "model.pt", data=tmp_path / "data", device="cpu")
    ids = encoder.tokenizer.encode(["Zeppelin"])[0]
    assert [encoder.dictionary[i] for i in ids] == ["Zeppelin"]


def test_flags_of_added_tokens_are_followed(tmp_path):
    """single_word, lstrip, rstrip and normalized decide where a token is found."""
    new = [
        transformers.AddedToken("Quark", single_word=True),
        transformers.AddedToken("<x>", lstrip=True, rstrip=True, normalized=False),
        transformers.AddedToken("New York"),
        transformers.AddedToken("und"),
    ]
    lines = ["Quark Quarkdog derQuark", "der <x> Hund", "New York der", "New  York Hund und rot"]
    for name, save in (("xlmr", save_xlmr), ("bert", save_bert)):
        folder = with_added_tokens(save(tmp_path / name), tmp_path / f"{name}-added", new, ["<e>"])
        assert main(["convert", str(folder), str(tmp_path / f"{name}-ours")]) == 0
        encoder = load(tmp_path / f"{name}-ours" / "model.pt", device="cpu")
        expected = means(folder, lines)
        torch.testing.assert_close(encoder.embed(lines), expected, atol=1e-5, rtol=1e-5)
        back = tmp_path / f"{name}-back"
        assert main(["convert", str(tmp_path / f"{name}-ours" / "model.pt"), str(back)]) == 0
        torch.testing.assert_close(means(back, lines), expected, atol=1e-5, rtol=1e-5)


def test_a_larger_vocabulary_keeps_added_tokens(folder, tmp_path):
    """The rows of added tokens follow the vocabulary, which has more lines now."""
    ours, larger = tmp_path / "ours", tmp_path / "larger"
    assert main(["convert", str(folder), str(ours)]) == 0
    word = "Hun" if (ours / "vocab.txt").exists() else "▁Hu"
    (tmp_path / "words").write_text(f"{word}\n", encoding="utf-8")
    extend = ["--to", "amber", "--extend-vocab", str(tmp_path / "words")]
    assert main(["convert", str(ours / "model.pt"), str(larger), *extend]) == 0
    assert main(["convert", str(larger / "model.pt"), str(tmp_path / "back")]) == 0
    lines = ["<e1> Zeppelin </e1> der Quark"]
    expected = means(folder, lines)
    vectors = load(larger / "model.pt", device="cpu").embed(lines)
    torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(means(tmp_path / "back", lines), expected, atol=1e-5, rtol=1e-5)
