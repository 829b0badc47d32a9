"""Texts and vocabularies on which WordPiece is tested."""

from __future__ import annotations

import random
from pathlib import Path

from fairseq_amber.tokenizers.wordpiece_files import WordPieceSettings

SPECIALS = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused2]"]
NAMES = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]  # in fairseq's order

STORED = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
STORED += (
    "a re ##sume résu ##mé 中 文 don ' t [ mask ] MASK un ##believ ##able Un , . é ##é".split()
)
STORED += ["strasse", "straße", "##ße", "i", "##\u0307", "中文"]

NASTY = [
    "",
    " ",
    "  two  spaces ",
    "Straße STRASSE ẞ İstanbul ıI Ωσς Ǆ ﬁn",
    "résumé re\u0301sume\u0301 Ångström A\u030angstro\u0308m",
    "don't stop-me_now (e.g. $3.50, 20%) <s> </s> a</s>b <mask>",
    "[CLS] [SEP] a[MASK]b [UNK] [PAD] [unused1] ##s # ## a##b",
    "中文字符 mixed漢字text，全角！ＡＢＣ１２３ 「日本語」の文章。カタカナひらがな",
    "字\u0301漢\u3099か\u3099。\u0301 、\u0301a",
    "\U00020000\U0002a6df\U0002f800豈更﨑 㐀䶿 龥鿿",
    "한국어 \u1112\u1161\u11ab글 ㄱㄴ",
    "ไทยไม่มีช่องว่าง ລາວ မြန်မာ ខ្មែរ བོད་ཡིག",
    "हिन्दी में क्षत्रिय। اَلْعَرَبِيَّةُ لغة، עִבְרִית",
    "tab\there\x0bvt\x0cff\x1cfs\x1dgs\x1ers\x1fus\x85nel\xa0nbsp\u2028ls\u2029ps\u3000is\u200azero",
    "nul\x00bel\x07del\x7fc1\x80\x9fshy\xadzwsp\u200bzwj\u200dbom\ufeffrlm\u200frepl\ufffd\ufffc",
    "👩‍👩‍👧‍👦 🇩🇪 👍🏽 ☃\ufe0f \ue000 \U000f0000 \u0378",
    "\u0301\u0302 starts with marks q\u0323\u0307 q\u0307\u0323",
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101 + " " + "é" * 60 + " " + "e\u0301" * 60,
    "漢" * 120 + "ア" * 101 + "」",
    "CamelCase ALLCAPS mIxEd 1234567890 3.14159 10^-3 ½ ² Ⅷ ①",
    "«guillemets» „quotes“ ‚a‘ …—–‐‑ ¿¡ § ° ` ~ ^ + = | \\",
]

_CHARACTERS = (
    "aAbBeE sS..,-'[]#1   éÉ\u0301\u0308\u0323\u3099İıßẞΣσςǅﬁ中文字漢豈\U00020000か。、「カﾊﾟ한"
    "\u1112\u1161ไทย\u0e48हि\u094dعَ\t\n\r\x00\x1c\x1f\x7f\x85\xa0\xad\u200b\u200d\u2028\u3000\ufeff"
    "\ufffd\ue000\u0378👍🏽"
)


def random_lines(count: int, seed: int = 0) -> list[str]:
    generator = random.Random(seed)
    return [
        "".join(generator.choices(_CHARACTERS, k=generator.randint(0, 40))) for _ in range(count)
    ]


def vocabulary_of(lines: list[str], size: int = 400) -> list[str]:
    """A vocabulary learnt from lines in many spellings, so that most of them is known."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=SPECIALS, min_frequency=1, show_progress=False
    )
    spellings = [
        [normalizer.normalize_str(line) for line in lines]
        for lower in (True, False)
        for strip in (True, False)
        for normalizer in [normalizers.BertNormalizer(strip_accents=strip, lowercase=lower)]
    ]
    tokenizer.train_from_iterator((line for some in spellings for line in some), trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def write_folder(folder: Path, pieces: list[str], settings: WordPieceSettings) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{p}\n" for p in pieces), encoding="utf-8")
    (folder / "tokenizer_config.json").write_bytes(settings.encode())
    return folder
