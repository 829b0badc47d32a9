"""From raw text to ``fairseq-train``: the words that are points."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from corpus_preparation import run_small
from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.data.alignment.needs import LinkSettings, Needs, PointSettings
from fairseq_amber.preparation.corpus.settings import FilterSettings, VocabularySettings
from fairseq_programs import USER_DIR, run_fairseq
from transport_twins import ALONE

TEXT = {
    "de": ["Das Haus, aber, brennt.", "Der well-known Hund (z. B.) schläft heute.", "Ja!"] * 20,
    "en": ["The house, however, burns.", "The well-known dog sleeps.", "Yes! He does."] * 20,
}
PIECES = "[PAD] [unused1] [UNK] [CLS] [SEP] [MASK] The house how ##ever burn ##s well known dog"
PIECES += " sleeps Yes He does , . ! - ( ) Das Haus aber brennt Der Hund z B sch ##läft heute Ja"
TRAIN = (
    "--task cross_lingual_alignment --tokens-per-sample 64 --max-tokens 300 --optimizer adam"
    " --lr 0.01 --max-update 2 --seed 3 --log-format simple --no-save --cpu --arch amber_tiny"
    " --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32 --max-positions 64"
).split()


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    for split in ("train", "valid"):
        for language, lines in TEXT.items():
            text = "".join(line + "\n" for line in lines)
            (folder / f"{split}.de-en.{language}").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folders(raw, tmp_path_factory):
    """``(tokenizer, kept) ->`` the folder that is prepared with it."""
    made = {}

    def prepared(tokenizer, kept):
        if (tokenizer, kept) not in made:
            folder = tmp_path_factory.mktemp("prepared")
            given = {"vocabulary": VocabularySettings(vocab_size=70), "filters": FilterSettings()}
            if tokenizer == "wordpiece":
                pytest.importorskip("tokenizers")
                (folder / "vocab.txt").write_text("".join(f"{p}\n" for p in PIECES.split()))
                (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
                given["tokenizer"] = folder / "vocab.txt"
            run_small(raw, folder / "out", word_boundaries=kept, workers=1, **given)
            made[tokenizer, kept] = folder / "out"
        return made[tokenizer, kept]

    return prepared


def points_of(make_task, make_model, folder, kind, **settings):
    """The English points of the three lines, each as the pieces between two points."""
    task = make_task(data=str(folder), word_boundaries=kind)
    task.model = make_model()
    config = TransportConfig(_name="ot_alignment", **ALONE, **settings)
    task.build_criterion(OmegaConf.structured(config))
    task.load_dataset("train")
    data = task.datasets["train"]
    (corpus,) = (corpus for corpus in data.corpora if corpus.parallel)
    counts = data.collate.points.counts(corpus.targets, corpus.words[1])
    begin, out = data.offsets[data.corpora.index(corpus)], []
    for index in range(3):
        example = data[begin + index]["example"]
        sentence = example.sentences[1]
        ends = data.collate.points.positions(sentence, example.words[1])
        assert counts[index] == len(ends)
        pieces = [task.dictionary[i] for i in sentence]
        assert ends[-1] == len(pieces)
        words = ("".join(word) for word in np.split(pieces, ends)[:-1])
        out.append([word.replace("▁", "").replace("##", "") for word in words])
    return out


@pytest.mark.parametrize("tokenizer", ["sentencepiece", "wordpiece"])
def test_words_of_raw_text_end_before_punctuation(make_task, make_model, folders, tokenizer):
    folder = folders(tokenizer, None)
    first, second, third = points_of(make_task, make_model, folder, "punctuation")
    assert first == "The house , however , burns .".split()
    assert second == "The well - known dog sleeps .".split()
    assert third == "Yes ! He does .".split()


@pytest.mark.parametrize("tokenizer", ["sentencepiece", "wordpiece"])
def test_moses_words_of_raw_text(make_task, make_model, folders, tokenizer):
    pytest.importorskip("sacremoses")
    folder = folders(tokenizer, "moses")
    first, second, _ = points_of(make_task, make_model, folder, "moses")
    assert first == "The house , however , burns .".split()
    assert second == "The well-known dog sleeps .".split()


@pytest.mark.parametrize("tokenizer, kept", [("sentencepiece", None), ("wordpiece", "spaces")])
def test_words_between_spaces_of_raw_text(make_task, make_model, folders, tokenizer, kept):
    first, second, _ = points_of(make_task, make_model, folders(tokenizer, kept), "spaces")
    assert first == "The house, however, burns.".split()
    assert second == "The well-known dog sleeps.".split()


@pytest.mark.parametrize("criterion", ["ot_alignment", "amber --whole-word-masking"])
def test_fairseq_train_with_words_that_are_kept(folders, tmp_path, criterion):
    pytest.importorskip("sacremoses")
    own = ["--save-dir", tmp_path, "--user-dir", USER_DIR, *TRAIN]
    flags = [*own, "--criterion", *criterion.split(), "--word-boundaries", "moses"]
    result = run_fairseq("train", folders("wordpiece", "moses"), *flags)
    assert result.returncode == 0, result.stderr
    assert "| valid |" in result.stdout
    result = run_fairseq("train", folders("wordpiece", None), *flags)
    assert (
        result.returncode != 0 and "prepare RAW DATA_BIN --word-boundaries moses" in result.stderr
    )


def test_a_kind_of_words_that_no_term_reads_is_refused(make_task, make_model, folders):
    with pytest.raises(SystemExit, match="--word-boundaries moses: no term reads words"):
        folder = folders("sentencepiece", None)
        points_of(make_task, make_model, folder, "moses", ot_points="subwords")


@pytest.mark.parametrize("tokenizer, kept", [("sentencepiece", None), ("wordpiece", "spaces")])
def test_links_number_words_between_spaces(make_task, folders, tmp_path, tokenizer, kept):
    """Of the raw text: of the second words, ``Haus,`` and ``house,``, the last piece is linked."""
    for split in ("train", "valid"):
        (tmp_path / f"{split}.de-en.align").write_text("1-1\n1-1\n0-0\n" * 20)
    task = make_task(data=str(folders(tokenizer, kept)))
    words = PointSettings(words=True)
    task.needs = Needs(mlm=False, tlm=False, alignment=False, sentences=True, points=words)
    task.needs = task.needs._replace(links=LinkSettings(str(tmp_path)))
    task.load_dataset("train")
    data = task.datasets["train"]
    example = data[0]["example"]
    for side, (sentence, last) in enumerate(zip(example.sentences, (",", ","))):
        (at,) = example.links[:, side]
        assert task.dictionary[sentence[at]] == last
        ends = data.collate.points.positions(sentence, example.words[side])
        assert ends[1] == at + 1  # the anchor holds the same words
    if tokenizer == "wordpiece":
        other = make_task(data=str(folders(tokenizer, None)))
        other.needs = task.needs
        with pytest.raises(SystemExit, match="l2-units.* the pieces of WordPiece do not show"):
            other.load_dataset("train")


def test_a_folder_of_stock_fairseq_preprocess(make_task, make_model, folders, tmp_path):
    """From pieces that are written as text, without any tool of the package."""
    import sentencepiece

    source, data = folders("sentencepiece", None), tmp_path / "data"
    model = str(source / "sentencepiece.bpe.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    for split in ("train", "valid"):
        for language, lines in TEXT.items():
            text = "".join(" ".join(processor.EncodeAsPieces(line)) + "\n" for line in lines)
            (tmp_path / f"{split}.{language}").write_text(text, encoding="utf-8")
    result = run_fairseq(
        "preprocess",
        *["--source-lang", "de", "--target-lang", "en", "--workers", 1, "--joined-dictionary"],
        *["--trainpref", tmp_path / "train", "--validpref", tmp_path / "valid"],
        *["--srcdict", source / "dict.txt", "--destdir", data / "parallel" / "de-en"],
    )
    assert result.returncode == 0, result.stderr
    (data / "dict.txt").write_bytes((source / "dict.txt").read_bytes())
    first, second, third = points_of(make_task, make_model, data, "punctuation")
    assert first == "The house , however , burns .".split()
    assert second == "The well - known dog sleeps .".split()
    assert third == "Yes ! He does .".split()
    with pytest.raises(SystemExit, match="train.de-en.de.words, and the pieces of SentencePiece"):
        points_of(make_task, make_model, data, "moses")
