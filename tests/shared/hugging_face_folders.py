"""Tiny folders of Hugging Face, as transformers saves them, and what transformers makes of text."""

import json
from pathlib import Path

import torch

LINES = [
    "der rote Hund schläft heute",
    "the red dog sleeps today",
    "ein Haus am See",
    "a house by the lake",
]
SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "initializer_range": 0.3,
}


def save_bert(folder: Path, *more_lines: str, model="BertForMaskedLM") -> Path:
    """A cased BERT whose vocabulary has every letter of LINES."""
    import transformers

    words = sorted({word for line in LINES for word in line.split()})
    letters = sorted(set("".join(words) + "QZkpn"))
    plain = [*letters, *(f"##{c}" for c in letters), *(w for w in words if len(w) > 1)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *plain, *more_lines]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    settings = {"do_lower_case": False, "tokenizer_class": "BertTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), max_position_embeddings=64, **SHAPE
    )
    getattr(transformers, model)(config).save_pretrained(folder)
    return folder


def save_xlmr(folder: Path, spare_rows: int = 0) -> Path:
    """An XLM-R with the model file of SentencePiece, and rows that no token uses."""
    import io

    import sentencepiece
    import transformers

    content = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 20),
        model_writer=content,
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    folder.mkdir(parents=True)
    (folder / "sentencepiece.bpe.model").write_bytes(content.getvalue())
    pieces = sentencepiece.SentencePieceProcessor(model_proto=content.getvalue()).GetPieceSize()
    torch.manual_seed(1)
    config = transformers.XLMRobertaConfig(
        vocab_size=pieces + 2 + spare_rows, max_position_embeddings=66, type_vocab_size=1, **SHAPE
    )
    transformers.XLMRobertaForMaskedLM(config).save_pretrained(folder)
    return folder


def with_added_tokens(base: Path, to: Path, tokens: list, marks: list) -> Path:
    """Adds tokens as the documentation of transformers shows it."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForMaskedLM.from_pretrained(base)
    tokenizer.add_tokens(tokens)
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(to)
    tokenizer.save_pretrained(to)
    return to


def means(folder: Path, lines: list) -> torch.Tensor:
    """The mean of the last states of each line, from transformers."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        rows = [model(**tokenizer(line, return_tensors="pt")) for line in lines]
    return torch.stack([row.last_hidden_state[0].mean(0) for row in rows])
