"""Toy models of fairseq and Hugging Face, with vocabularies learnt from a few sentences."""

import argparse
import json
import shutil
from pathlib import Path

import pytest
import torch

SENTENCES = [
    "ein rotes Haus steht am See .",
    "a red house stands by the lake .",
    "der Hund schläft heute , nicht wahr ?",
    "the dog sleeps today , doesn't it ?",
    "Кошка спит на старом диване .",
    "кот и собака играют в саду 2021 года .",
    "我们在花园里看到两棵老树。",
    "bahçede iki yaşlı ağaç görüyoruz .",
    "İstanbul'da kar yağıyor !",
    "مرحبا بالعالم ، كيف حالك ؟",
    "नमस्ते दुनिया , आप कैसे हैं ?",
    "  spaces   and\ttabs，full－width ﬁ ligature ",
    "unheard-of ☃ \U0001f600 ünïcödé",
    "x",
]
SHAPE = dict(
    vocab_size=0,
    hidden_size=16,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=40,
    initializer_range=0.3,
)


def randomized(model):
    """Biases and layer norms start at 0 and 1, where a mistake would not show."""
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for _, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.fixture(scope="session")
def sentences():
    """Several scripts, odd spaces, characters that the vocabularies lack."""
    return SENTENCES


@pytest.fixture(scope="session", params=["unigram", "bpe"])
def any_sentencepiece(request, tmp_path_factory):
    """A SentencePiece model of either type."""
    return learn_sentencepiece(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="session")
def sentencepiece_file(tmp_path_factory):
    return learn_sentencepiece(tmp_path_factory.mktemp("spm"), "unigram")


def learn_sentencepiece(folder: Path, kind: str) -> Path:
    import sentencepiece

    text = folder / "text"
    text.write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "m"),
        vocab_size=220,
        model_type=kind,
        character_coverage=0.98,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    return folder / "m.model"


def pieces_of(model: Path):
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    return [processor.IdToPiece(i) for i in range(3, processor.GetPieceSize())]


@pytest.fixture(scope="session")
def hf_xlmr(sentencepiece_file, tmp_path_factory):
    """A folder as ``XLMRobertaForMaskedLM.save_pretrained`` leaves it, with XLM-R's model file."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    folder = tmp_path_factory.mktemp("hf-xlmr")
    torch.manual_seed(2)
    config = transformers.XLMRobertaConfig(
        **{**SHAPE, "vocab_size": len(pieces_of(sentencepiece_file)) + 5},
        max_position_embeddings=66,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    randomized(transformers.XLMRobertaForMaskedLM(config)).save_pretrained(folder)
    (folder / "sentencepiece.bpe.model").write_bytes(sentencepiece_file.read_bytes())
    return folder


@pytest.fixture(scope="session")
def wordpieces():
    """The lines of a cased vocab.txt, special tokens where mBERT has them."""
    words = sorted({word for line in SENTENCES for word in line.replace("，", " ").split()})
    characters = sorted({c for word in words for c in word if c not in "☃\U0001f600"})
    pieces = ["the", "##t", "rot", "##es", "schlä", "##ft", "Кош", "##ка", "ste", "##ht"]
    plain = [*characters, *(f"##{c}" for c in characters), *pieces]
    lines = ["[PAD]", *(f"[unused{i}]" for i in range(1, 20)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return [*lines, *dict.fromkeys(plain)]


@pytest.fixture(scope="session")
def hf_mbert(wordpieces, tmp_path_factory):
    """A folder of a cased BERT, as multilingual BERT's."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    folder = tmp_path_factory.mktemp("hf-mbert")
    torch.manual_seed(3)
    config = transformers.BertConfig(
        **{**SHAPE, "vocab_size": len(wordpieces)},
        max_position_embeddings=64,
        pad_token_id=0,
    )
    randomized(transformers.BertForMaskedLM(config)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(wordpieces) + "\n", encoding="utf-8")
    settings = {"do_lower_case": False, "tokenizer_class": "BertTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="session")
def fairseq_xlmr(sentencepiece_file, tmp_path_factory):
    """A folder like xlmr.base: model.pt in half precision under XLM-R's old names, with its
    settings in a Namespace."""
    from fairseq.data import Dictionary
    from fairseq.models.roberta import RobertaModel

    folder = tmp_path_factory.mktemp("xlmr.toy")
    lines = "".join(f"{piece} 1\n" for piece in pieces_of(sentencepiece_file))
    (folder / "dict.txt").write_text(lines, encoding="utf-8")
    (folder / "sentencepiece.bpe.model").write_bytes(sentencepiece_file.read_bytes())
    args = argparse.Namespace(
        arch="roberta_base",
        task="multilingual_masked_lm",
        criterion="masked_lm",
        data="/private/somewhere",
        encoder_layers=3,
        encoder_embed_dim=16,
        encoder_ffn_embed_dim=40,
        encoder_attention_heads=4,
        max_positions=64,
        dropout=0.1,
        attention_dropout=0.1,
        activation_dropout=0.0,
        activation_fn="gelu",
        pooler_activation_fn="tanh",
        pooler_dropout=0.0,
    )
    dictionary = Dictionary.load(str(folder / "dict.txt"))
    dictionary.add_symbol("<mask>")
    task = argparse.Namespace(source_dictionary=dictionary)
    torch.manual_seed(3)
    model = randomized(RobertaModel.build_model(argparse.Namespace(**vars(args)), task)).half()
    weights = {
        name.replace("encoder.", "decoder.", 1).replace("layernorm_embedding", "emb_layer_norm"): v
        for name, v in model.state_dict().items()
    }
    state = {
        "args": args,
        "model": weights,
        "optimizer_history": [{"criterion_name": "MaskedLmLoss", "best_loss": 2.0}],
        "extra_state": {"epoch": 3, "val_loss": 2.0},
    }
    torch.save(state, folder / "model.pt", _use_new_zipfile_serialization=False)
    return folder


@pytest.fixture
def convert(capsys):
    """Runs `fairseq-amber convert ...`; returns what it prints. Fails on an error."""
    from fairseq_amber.cli import main

    def run(*arguments):
        status = main(["convert", *map(str, arguments)])
        captured = capsys.readouterr()
        assert status == 0, captured.err
        return captured.out

    return run


@pytest.fixture
def complaint(capsys):
    """Runs a command that must fail; returns its one line."""
    from fairseq_amber.cli import main

    def run(*arguments):
        assert main(list(map(str, arguments))) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("fairseq-amber: error: ") and captured.err.count("\n") == 1
        return captured.err

    return run


@pytest.fixture
def edited(tmp_path):
    """A copy of a folder to spoil."""

    def copy(folder):
        return shutil.copytree(folder, tmp_path / "edited")

    return copy


@pytest.fixture
def refused(complaint, tmp_path):
    """Converts what must fail; returns the line. Nothing is left behind."""

    def run(source, *flags):
        before = set(tmp_path.iterdir())
        line = complaint("convert", source, tmp_path / "out", *flags)
        assert set(tmp_path.iterdir()) == before
        return line

    return run
