"""Toy models whose vocabularies of each kind have many pieces that a text need not use."""

from __future__ import annotations

import io
import random
from pathlib import Path

import torch

from fairseq_amber.convert.fairseq_checkpoint import write_amber
from fairseq_amber.convert.output_folder import output_folder
from fairseq_amber.convert.pretrained import Pretrained, Shape, build
from fairseq_amber.convert.sentencepiece_model import SentencePieceModel, from_tokenizer_json
from fairseq_amber.convert.vocabulary import Vocabulary
from fairseq_amber.tokenizers.added_token_files import AddedToken
from fairseq_amber.tokenizers.fairseq_order import MASK, SPECIALS
from fairseq_amber.tokenizers.subwords import MODEL_NAME, added_tokens_file
from fairseq_amber.tokenizers.wordpiece_files import parse_wordpiece

KINDS = ("unigram", "bpe", "wordpiece")
ADDED = "<entity>"  # a token that was added, which no line has


def save_model(folder: Path, kind: str, lines: list[str]) -> Path:
    """Writes a folder as ``fairseq-amber convert`` does: random weights, and a vocabulary with the
    words of the lines, their parts and their characters but for ☃, and a token that was added."""
    words = sorted({word for line in lines for word in line.split()})
    vocabulary = {"unigram": _unigram, "bpe": _bpe, "wordpiece": _wordpiece}[kind](words)
    shape = Shape(2, 16, 32, 4, 64)
    torch.manual_seed(1)
    model = build(shape, len(vocabulary.symbols))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with output_folder(folder) as output:
        write_amber(Pretrained(shape, model.state_dict(), vocabulary, "toy").checked(), output)
    return folder


def _letters(words: list[str]) -> list[str]:
    return sorted({*"".join(words)} - {"☃"})


def _unigram(words: list[str]) -> Vocabulary:
    rng = random.Random(1)
    parts = [p for word in words for p in (f"▁{word}", word[1:], word[:2], word[-3:]) if len(p) > 1]
    scores = {piece: rng.uniform(-12, -9) for piece in dict.fromkeys(parts) if "☃" not in piece}
    scores.update((letter, rng.uniform(-9, -7)) for letter in ["▁", *_letters(words)])
    model = {"type": "Unigram", "vocab": [["<unk>", 0.0], *map(list, scores.items())]}
    return _sentencepiece(from_tokenizer_json({"model": model}, MODEL_NAME))


def _bpe(words: list[str]) -> Vocabulary:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(words).replace("☃", "")] * 4),
        model_writer=model,
        vocab_size=400,
        model_type="bpe",
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    return _sentencepiece(model.getvalue())


def _sentencepiece(data: bytes) -> Vocabulary:
    pieces = SentencePieceModel(data, MODEL_NAME).pieces
    added = AddedToken(ADDED, len(SPECIALS) + len(pieces), normalized=False, special=True)
    files = {MODEL_NAME: data, **added_tokens_file([added])}
    return Vocabulary([*SPECIALS, *pieces, ADDED, MASK], files, MODEL_NAME)


def _wordpiece(words: list[str]) -> Vocabulary:
    letters = _letters(words)
    parts = [p for word in words for p in (word, word[:3], f"##{word[2:]}", f"##{word[-2:]}")]
    pieces = [*letters, *(f"##{letter}" for letter in letters), *(p for p in parts if "☃" not in p)]
    pieces += ["rot", "rote", "##e☃"]  # rote☃ is unknown, and would be rot ##e☃ without rote
    names = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    lines = list(dict.fromkeys([*names, *pieces]))
    added = {"added_tokens": [{"content": ADDED, "id": len(lines), "special": True}]}
    files = parse_wordpiece("\n".join(lines).encode("utf-8"), listed=added)
    return Vocabulary(files.order.symbols, files.contents, files.source)
