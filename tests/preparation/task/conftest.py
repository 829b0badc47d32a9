"""Tokenizers, and the command ``fairseq-amber prepare-task`` in a folder with raw files."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber import cli
from raw_task_files import FILES


@pytest.fixture(scope="module", params=["sentencepiece", "wordpiece"])
def tokenizer(request, tmp_path_factory) -> Path:
    """A folder with dict.txt in another order than the tokenizer's."""
    folder = tmp_path_factory.mktemp("data-bin")
    words = "Der Hund schläft im finsteren Garten Bello Ein Wo Hunde ? ( ) .".split()
    if request.param == "wordpiece":
        pytest.importorskip("tokenizers")
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##e", *words, "狗", "睡"]
        (folder / "vocab.txt").write_text("".join(f"{p}\n" for p in pieces), encoding="utf-8")
        pieces = pieces[5:]
    else:
        import sentencepiece

        prefix = str(folder / "sentencepiece.bpe")
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter([" ".join(words), "我的狗睡", "狗和睡", "Hunde, Gärten"] * 9),
            model_prefix=prefix,
            vocab_size=120,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        (folder / "sentencepiece.bpe.vocab").unlink()
        processor = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
        pieces = [processor.IdToPiece(i) for i in range(3, processor.GetPieceSize())]
    lines = "".join(f"{piece} 1\n" for piece in reversed(pieces))
    (folder / "dict.txt").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
def prepare(tmp_path: Path, tokenizer: Path, monkeypatch, capsys):
    """Runs the command in a folder with the raw files; (status, standard output, error)."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")

    def run(task: str, *flags: str, tokenizer: Path = tokenizer) -> tuple[int, str, str]:
        arguments = ["prepare-task", task, "out", "--tokenizer", str(tokenizer), *flags]
        status = cli.main([*arguments, "--workers", "2"])
        return (status, *capsys.readouterr())

    return run
