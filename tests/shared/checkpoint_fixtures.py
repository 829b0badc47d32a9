"""Fixtures: a toy data folder with a SentencePiece model, and an untrained checkpoint for it."""

import os

import pytest
import torch

PAIRS = [
    ("ein rotes Haus steht am See .", "a red house stands by the lake ."),
    ("der Hund schläft heute", "the dog sleeps today"),
    ("wir sehen zwei alte Bäume im Garten .", "we see two old trees in the garden ."),
    ("ja", "yes"),
    ("die Kinder lesen ein Buch über Schiffe , nicht wahr ?", "the children read , don't they ?"),
    ("Montag kommt der Zug spät an .", "on Monday the train arrives late ."),
    ("guten Morgen", "good morning"),
    ("das Wasser ist kalt und klar .", "the water is cold and clear ."),
]


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    """dict.txt and sentencepiece.bpe.model, as ``fairseq-amber prepare`` writes them."""
    import sentencepiece

    folder = tmp_path_factory.mktemp("data")
    text = folder / "text"
    text.write_text("\n".join(line for pair in PAIRS for line in pair) + "\n", encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "spm"),
        vocab_size=120,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    os.rename(folder / "spm.model", folder / "sentencepiece.bpe.model")
    processor = sentencepiece.SentencePieceProcessor(
        model_file=str(folder / "sentencepiece.bpe.model")
    )
    pieces = [processor.IdToPiece(i) for i in range(3, processor.GetPieceSize())]
    lines = "".join(f"{piece} 1\n" for piece in reversed(pieces))  # not in SentencePiece's order
    (folder / "dict.txt").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def checkpoint(data_folder, tmp_path_factory):
    """A checkpoint of ``amber_tiny`` with three layers, as fairseq-train writes it."""
    from types import SimpleNamespace

    from fairseq.data import Dictionary

    from fairseq_amber.models.amber import AmberModel

    dictionary = Dictionary.load(str(data_folder / "dict.txt"))
    dictionary.add_symbol("<mask>")
    shape = {
        "_name": "amber_tiny",
        "encoder_layers": 3,
        "encoder_embed_dim": 16,
        "encoder_ffn_embed_dim": 32,
        "encoder_attention_heads": 4,
        "max_positions": 80,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation_dropout": 0.0,
    }
    torch.manual_seed(1)
    model = AmberModel.build_model(
        SimpleNamespace(**shape), SimpleNamespace(source_dictionary=dictionary)
    )
    # BERT's initial weights are so small that every attention map would be uniform.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and parameter.dim() == 2:
                parameter.mul_(10)
    path = tmp_path_factory.mktemp("checkpoints") / "checkpoint_best.pt"
    torch.save(
        {
            "args": None,
            "cfg": {"model": shape, "task": {"data": str(data_folder)}},
            "model": model.state_dict(),
            "optimizer_history": [{"num_updates": 7}],
        },
        path,
    )
    return path


@pytest.fixture
def edited_checkpoint(checkpoint, tmp_path):
    """Returns ``build(edit)``, which writes a copy of the checkpoint changed by ``edit(state)``."""

    def build(edit):
        state = torch.load(checkpoint)
        edit(state)
        path = tmp_path / "checkpoint_edited.pt"
        torch.save(state, path)
        return path

    return build


@pytest.fixture(scope="session")
def encoder(checkpoint):
    """The encoder of the checkpoint, on the CPU."""
    from fairseq_amber.inference.encoder import Encoder

    return Encoder.load(checkpoint, device="cpu")


@pytest.fixture
def corpus(tmp_path):
    """A folder with two aligned pairs of files, test.de-en.* and test.en-de.*."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for pair in ("de-en", "en-de"):
        for language, side in (("de", 0), ("en", 1)):
            text = "".join(sentences[side] + "\n" for sentences in PAIRS)
            (folder / f"test.{pair}.{language}").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def fairseq_amber_command(capsys):
    """Runs ``fairseq-amber ...``; returns its exit status, its stdout and its stderr."""
    from fairseq_amber.cli import main

    def run(*argv):
        status = main([str(argument) for argument in argv])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
