"""fairseq's --bpe amber_wordpiece."""

import subprocess
from argparse import Namespace
from pathlib import Path

import pytest
from fairseq.data import Dictionary, encoders

import fairseq_amber
from forked_programs import forked_python

PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] un ##believ ##able don ' t 木 .".split()


@pytest.fixture
def vocab(tmp_path) -> Path:
    pytest.importorskip("tokenizers")
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return tmp_path / "vocab.txt"


def build(path):
    return encoders.build_bpe(Namespace(bpe="amber_wordpiece", wordpiece_vocab=str(path)))


def test_it_writes_the_symbols_of_the_dictionary(vocab):
    bpe = build(vocab)
    line = bpe.encode("Unbelievable: don't [SEP] 木木.")
    assert line == "un ##believ ##able <unk> don ' t <unk> <unk> <unk> 木 木 ."
    dictionary = Dictionary()
    for piece in PIECES[5:]:
        dictionary.add_symbol(piece)
    ids = dictionary.encode_line(line, add_if_not_exist=False).tolist()
    assert ids == [4, 5, 6, 3, 7, 8, 9, 3, 3, 3, 10, 10, 11, 2]
    assert bpe.encode("") == ""
    assert bpe.decode("un ##believ ##able don ' t .") == "unbelievable don ' t."
    assert [bpe.is_beginning_of_word(symbol) for symbol in ("un", "##able", "<s>")] == [1, 0, 1]


def test_a_folder_names_its_vocabulary(vocab):
    assert build(vocab.parent).encode("don") == "don"


@pytest.mark.parametrize(
    "name, message",
    [
        ("???", "needs --wordpiece-vocab"),
        ("none.txt", "cannot read"),
        ("spm.model", "is not a SentencePiece model"),
    ],
)
def test_what_is_no_vocabulary_ends_in_one_line(vocab, name, message):
    (vocab.parent / "spm.model").write_bytes(b"nonsense")
    path = name if name == "???" else vocab.parent / name
    with pytest.raises(SystemExit, match=f"fairseq-amber: error: .*{message}"):
        build(path)


@pytest.mark.slow
def test_fairseqs_own_encoder_finds_it_through_the_plugin(vocab):
    """As fairseq-interactive does: --user-dir, then --bpe with its flag, from a command line."""
    code = (
        "from fairseq import options; from fairseq.data import encoders;"
        "parser = options.get_interactive_generation_parser();"
        "args = options.parse_args_and_arch(parser);"
        "print(encoders.build_bpe(args).encode('don\\'t'))"
    )
    command = [forked_python(), "-c", code, "data", "--user-dir", fairseq_amber.__path__[0]]
    command += ["--bpe", "amber_wordpiece", "--wordpiece-vocab", str(vocab)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1:] == ["don ' t"], done.stderr
