"""Rows that text does not use are left out; the text's ids, states and scores stay as they were."""

import shutil
from contextlib import redirect_stdout
from io import StringIO

import pytest
import torch

from fairseq_amber.cli import main
from fairseq_amber.convert.vocabulary import load_vocabulary
from fairseq_amber.inference.checkpoint import load_model
from fairseq_amber.inference.tokenizer import Tokenizer
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN
from models_to_trim import ADDED, KINDS, save_model

pytest.importorskip("tokenizers", reason="tokenizers is not installed")

TABLE = "encoder.sentence_encoder.embed_tokens.weight"
# other words of the same characters, characters that no vocabulary has, the added token, nothing
HELD_OUT = ["the red lake , ünïcödé ☃☃", f"Кошка{ADDED} und der Hund", ""]
KEEP = "--keep-vocab"


@pytest.fixture(scope="module")
def folders(sentences, tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    return {kind: save_model(base / kind, kind, sentences) for kind in KINDS}


@pytest.fixture(scope="module")
def text(sentences, tmp_path_factory):
    """Some of the sentences, and words that WordPiece cannot cut to their end."""
    path = tmp_path_factory.mktemp("text") / "text"
    lines = [*sentences[:3], sentences[5], sentences[8], "thex☃ 陌☃生 rote☃ Hunde☃ rot"]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def trim(source, to, *flags):
    """Converts with flags; returns the folder and what is printed."""
    with redirect_stdout(StringIO()) as printed:
        assert main(["convert", str(source), str(to), "--to", "amber", *map(str, flags)]) == 0
    return to, printed.getvalue()


@pytest.fixture(scope="module", params=KINDS)
def trimmed(request, folders, text, tmp_path_factory):
    """The folder of a model, that of the model trimmed to the text, and what is printed."""
    plain = folders[request.param]
    return (plain, *trim(plain, tmp_path_factory.mktemp("trimmed") / plain.name, KEEP, text))


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def encoded(folder, lines):
    """The model of a folder, and the row of each line."""
    loaded = load_model(folder / "model.pt")
    ids = Tokenizer.load(folder, loaded.dictionary).encode(lines)
    return loaded, [[0, *map(int, line), 2] for line in ids]


def states_and_scores(loaded, row):
    with torch.no_grad():
        scores, extra = loaded.model(torch.tensor([row]), return_all_hiddens=True)
    return extra["layers"], scores


def test_ids_states_and_scores_of_the_text_stay(trimmed, text):
    plain, small, printed = trimmed
    (before, rows), (after, others) = (encoded(folder, lines_of(text)) for folder in (plain, small))
    kept = after.dictionary.symbols
    assert len(kept) < 0.8 * len(before.dictionary)
    assert printed.startswith(
        f"kept {len(kept)} of {len(before.dictionary)} subwords; "
        f"0 of {len(rows)} lines are cut otherwise\n"
    )
    index = torch.tensor([before.dictionary.index(symbol) for symbol in kept])
    assert index.tolist() == sorted(index.tolist()) and kept[-1] == "<mask>"
    tables = [loaded.model.state_dict()[TABLE] for loaded in (before, after)]
    assert torch.equal(tables[0][index], tables[1])
    assert any(UNKNOWN in row for row in rows) and max(map(max, rows)) > len(kept)
    for row, other in zip(rows, others):
        assert index[torch.tensor(other)].tolist() == row
        (states, scores), (same, found) = map(states_and_scores, (before, after), (row, other))
        assert len(states) == 3 and all(map(torch.equal, states, same))
        assert torch.equal(scores[..., index], found)


def test_no_other_character_becomes_unknown(trimmed):
    plain, small, _ = trimmed
    (before, rows), (after, others) = (encoded(folder, HELD_OUT) for folder in (plain, small))
    gone = {*before.dictionary.symbols} - {*after.dictionary.symbols}
    assert all(len(symbol.replace("▁", "").replace("##", "")) > 1 for symbol in gone)
    assert sum(map(len, others)) > sum(map(len, rows))
    assert after.dictionary.index(ADDED) in others[1]
    assert [row.count(UNKNOWN) for row in others] == [row.count(UNKNOWN) for row in rows]


def test_transformers_has_the_same_ids_states_and_scores(trimmed, text, convert, tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    _, small, _ = trimmed
    convert(small / "model.pt", tmp_path / "hf")
    lines = [*lines_of(text), *HELD_OUT]
    ours, rows = encoded(small, lines)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "hf").eval()
    names = {"[CLS]": "<s>", "[PAD]": "<pad>", "[SEP]": "</s>", "[UNK]": "<unk>"}
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    symbols = [{**names, "[MASK]": "<mask>"}.get(token, token) for token in tokens]
    assert {*symbols} == {*ours.dictionary.symbols} and len(symbols) == len(ours.dictionary)
    table = torch.tensor(list(map(ours.dictionary.index, symbols)))
    for line, row in zip(lines, rows):
        batch = tokenizer(line, return_tensors="pt")
        assert table[batch["input_ids"][0]].tolist() == row, line
        with torch.no_grad():
            output = theirs(**batch, output_hidden_states=True)
        states, scores = states_and_scores(ours, row)
        for state, other in zip(
            (*states, scores[..., table]), (*output.hidden_states, output.logits)
        ):
            torch.testing.assert_close(state, other, atol=1e-5, rtol=1e-5)


def test_sentence_transformers_has_the_same_vectors(trimmed, text, convert, tmp_path):
    package = pytest.importorskip(
        "sentence_transformers", reason="sentence-transformers is not installed"
    )
    from fairseq_amber.inference.encoder import Encoder

    plain, small, _ = trimmed
    convert(small / "model.pt", tmp_path / "hf")
    theirs = package.SentenceTransformer(str(tmp_path / "hf"), device="cpu")
    ours = Encoder.load(plain / "model.pt", device="cpu").embed(lines_of(text))
    vectors = theirs.encode(lines_of(text), convert_to_tensor=True)
    torch.testing.assert_close(ours, vectors, atol=1e-5, rtol=1e-5)


def test_the_most_frequent_alone(folders, text, tmp_path):
    more = tmp_path / "more"
    more.write_text(f"{'See am ' * 9}\nHund\n", encoding="utf-8")
    plain = folders["unigram"]
    flags = KEEP, text, KEEP, more, "--keep-top", 2
    small, printed = trim(plain, tmp_path / "small", *flags)
    longer = {s for s in load_vocabulary(small).symbols[4:-2] if len(s.lstrip("▁")) > 1}
    assert {"▁See", "▁am"} <= longer and len(longer) <= 3  # one has the lowest score
    lines = [*lines_of(text), *lines_of(more)]
    before, after = (
        [loaded.dictionary.string(row) for row in rows]
        for loaded, rows in (encoded(folder, lines) for folder in (plain, small))
    )
    changed = sum(map(str.__ne__, before, after))
    assert before[-2] == after[-2] and f"; {changed} of 8 lines are cut otherwise\n" in printed


def test_pieces_without_a_row_and_rows_without_a_token(folders, text, edited, tmp_path):
    folder = edited(folders["unigram"])
    names = (folder / "dict.txt").read_text(encoding="utf-8")
    assert "▁red 1\n" in names
    (folder / "dict.txt").write_text(names.replace("▁red 1\n", "madeupword0007 0\n"), "utf-8")
    state = torch.load(folder / "model.pt")
    torch.save({**state, "task_state": {}}, folder / "model.pt")  # as in a checkpoint of fairseq
    small, printed = trim(folder, tmp_path / "small", KEEP, text)
    assert "left out: 1 rows of the embedding without a token\n" in printed
    assert "; 0 of 6 lines are cut otherwise\n" in printed
    symbols = load_vocabulary(small).symbols
    assert not {"madeupword0007", "▁red"} & {*symbols} and "▁house" in symbols
    # it is a piece as before, and unknown
    assert encoded(small, ["red house"])[1] == [[0, UNKNOWN, symbols.index("▁house"), 2]]


@pytest.mark.parametrize("kind", ["unigram", "wordpiece"])
def test_token_ids_and_more_subwords(kind, folders, text, tmp_path):
    """The token ids are those of the model before it got the new subword."""
    raw, data = tmp_path / "raw", tmp_path / "bin"
    raw.mkdir()
    shutil.copy(text, raw / "train.de")
    assert main(["prepare", str(raw), str(data), "--tokenizer", str(folders[kind])]) == 0
    word = "▁" * (kind == "unigram") + "Seehund"
    (tmp_path / "new").write_text(f"{word}\n", encoding="utf-8")
    flags = "--extend-vocab", tmp_path / "new"
    small, printed = trim(folders[kind], tmp_path / "small", *flags, KEEP, data)
    assert f"not checked: the cut of texts that are token ids already: '{data}'\n" in printed
    symbols = load_vocabulary(small).symbols
    assert symbols[-2:] == [word, "<mask>"]
    again, printed = trim(folders[kind], tmp_path / "again", *flags, KEEP, text)
    assert "; 0 of 6 lines are cut" in printed
    assert {*load_vocabulary(again).symbols} >= {*symbols}
    assert encoded(small, ["Seehund"])[1] == [[0, symbols.index(word), 2]]


def test_a_head_stays(folders, text, edited, convert, tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    folder = edited(folders["unigram"])
    state = torch.load(folder / "model.pt")
    state["model"]["heads.tagging.out_proj.weight"] = torch.randn(3, 16)
    state["model"]["heads.tagging.out_proj.bias"] = torch.randn(3)
    torch.save(state, folder / "model.pt")
    scores = []
    for name, flags in (("whole", ()), ("small", (KEEP, text))):
        convert(folder / "model.pt", tmp_path / name, "--to", "hugging-face", *flags)
        tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / name)
        model = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / name)
        batch = tokenizer(lines_of(text), padding=True, return_tensors="pt")
        with torch.no_grad():
            scores.append(model.eval()(**batch).logits)
    assert torch.equal(*scores)
