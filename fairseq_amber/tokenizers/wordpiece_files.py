"""The files of BERT's tokenizer: vocab.txt or tokenizer.json, and tokenizer_config.json."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Container, Iterable, Mapping, NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import encode_json, parse_json, read_bytes, read_json
from fairseq_amber.tokenizers.added_token_files import (
    CONFIG_NAME,
    JSON_NAME,
    OLD_NAME,
    AddedToken,
    encode_added_tokens,
    parse_added_tokens,
)
from fairseq_amber.tokenizers.fairseq_order import FairseqOrder, fairseq_order, fits_dictionary

VOCAB_NAME = "vocab.txt"

_MOST_ROWS = 1 << 24  # a number beyond is damage, and a list so long would fill the memory
_CAPITAL = re.compile("[A-Z]")
_NAME = re.compile(r"\[.+\]|<.+>")  # a special token such as [UNK], which is not text

# settings of BertTokenizer, with their usual values, in the order of fairseq's special tokens
_SPECIALS = {
    "cls_token": "[CLS]",
    "pad_token": "[PAD]",
    "sep_token": "[SEP]",
    "unk_token": "[UNK]",
    "mask_token": "[MASK]",
}


class WordPieceSettings(NamedTuple):
    """The settings of the tokenizer, under their names in tokenizer_config.json.

    Attributes:
        do_lower_case: whether text becomes lower case.
        strip_accents: whether combining marks are dropped; None means as do_lower_case.
        tokenize_chinese_chars: whether each Chinese character is a word.
        specials: the special tokens, in fairseq's order.
        added: tokens that were added after the vocabulary had been learnt.
    """

    do_lower_case: bool
    strip_accents: bool | None = None
    tokenize_chinese_chars: bool = True
    specials: tuple[str, ...] = tuple(_SPECIALS.values())
    added: tuple[AddedToken, ...] = ()

    def encode(self) -> bytes:
        """Returns the content of a tokenizer_config.json, which transformers can read too."""
        values = {"tokenizer_class": "BertTokenizer", **self._asdict()}
        values.update(zip(_SPECIALS, values.pop("specials")))
        values.update(encode_added_tokens(values.pop("added")))
        return encode_json(values)


class WordPieceFiles(NamedTuple):
    """A WordPiece vocabulary with its settings.

    Attributes:
        tokens: the line of each token in vocab.txt, from 0.
        vocab: content of vocab.txt.
        settings: how text is cleaned, and the tokens that vocab.txt lacks.
        source: where the vocabulary comes from, for error messages.
    """

    tokens: dict[str, int]
    vocab: bytes
    settings: WordPieceSettings
    source: str

    @property
    def numbered(self) -> dict[str, int]:
        """The row of each token in BERT's embedding, with those of added tokens."""
        return {**{token.content: token.number for token in self.settings.added}, **self.tokens}

    @property
    def rows(self) -> int:
        """The number of rows up to the last token."""
        return 1 + max(self.numbered.values(), default=-1)

    @property
    def order(self) -> FairseqOrder:
        """The order of the tokens in fairseq.

        Raises:
            UserError: the tokens have no such order; see ``fairseq_order``.
        """
        return fairseq_order(self.numbered, self.settings.specials, self.rows, self.source)

    @property
    def contents(self) -> dict[str, bytes]:
        """The contents of vocab.txt and tokenizer_config.json, by name."""
        return {VOCAB_NAME: self.vocab, CONFIG_NAME: self.settings.encode()}

    def trimmed(self, kept: Container[str]) -> WordPieceFiles:
        """Returns the vocabulary with the tokens ``kept`` alone, in their order.

        Special and added tokens stay. Lines of vocab.txt that name no token are left out.
        """
        added = {token.content for token in self.settings.added}
        order = sorted(self.numbered, key=self.numbered.__getitem__)
        stay = [t for t in order if t in kept or t in added or t in self.settings.specials]
        numbers = {token: number for number, token in enumerate(stay)}
        tokens = {token: number for token, number in numbers.items() if token in self.tokens}
        lines = "".join(f"{token if token in tokens else ''}\n" for token in stay)
        moved = tuple(t._replace(number=numbers[t.content]) for t in self.settings.added)
        vocab = lines.rstrip("\n") + "\n"
        return WordPieceFiles(
            tokens, vocab.encode("utf-8"), self.settings._replace(added=moved), self.source
        )


def read_wordpiece(path: Path) -> WordPieceFiles:
    """Reads a WordPiece vocabulary.

    Args:
        path: a vocab.txt or a tokenizer.json; the settings are read from the files beside it.

    Raises:
        UserError: a file cannot be read, is damaged, or belongs to another kind of tokenizer.
    """
    is_json = path.suffix == ".json"
    beside = path if is_json else path.with_name(JSON_NAME)
    config = path.with_name(CONFIG_NAME)
    vocab = read_bytes(path)
    listed = _json_object(read_bytes(beside), str(beside)) if beside.is_file() else {}
    settings = read_bytes(config) if config.is_file() else b"{}"
    if is_json:
        vocab = _vocabulary_of(listed, path)
    old = read_json(path.with_name(OLD_NAME)) or {}
    files = parse_wordpiece(vocab, settings, str(path), str(config), listed, old)
    if not is_json:
        _check_same_numbers(files.tokens, listed, path, beside)
    return files


def _check_same_numbers(
    tokens: Mapping[str, int], listed: Mapping[str, Any], path: Path, beside: Path
) -> None:
    """Raises UserError where a vocab.txt and the tokenizer.json beside it number a token
    differently. transformers reads the second, and newer versions write it alone."""
    model = listed.get("model")
    if not isinstance(model, dict) or model.get("type") != "WordPiece":
        return
    numbers = checked_numbers(model.get("vocab"), beside)
    for token, row in tokens.items():
        if numbers.get(token, row) != row:
            raise UserError(
                f"{path} gives {token!r} the number {row}, and {beside} {numbers[token]}: they are "
                "of two models; remove the one that is not this model's"
            )


def _vocabulary_of(listed: Mapping[str, Any], path: Path) -> bytes:
    """Returns the vocab.txt of a tokenizer.json; its line is empty for a token with a line end."""
    model, normalizer, splitter = (
        part if isinstance(part := listed.get(key), dict) else {}
        for key in ("model", "normalizer", "pre_tokenizer")
    )
    if (
        model.get("type") != "WordPiece"
        or model.get("continuing_subword_prefix") != "##"
        or (normalizer.get("type"), splitter.get("type")) != ("BertNormalizer", "BertPreTokenizer")
    ):
        raise UserError(
            f"{path} is not a WordPiece tokenizer like BERT's; give a {VOCAB_NAME} of BERT"
        )
    vocabulary = checked_numbers(model.get("vocab"), path)
    lines = [""] * (max(vocabulary.values(), default=-1) + 1)
    for token, row in vocabulary.items():
        lines[row] = token if fits_dictionary(token) else ""
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def checked_numbers(vocabulary: Any, path: Path | str) -> dict[str, int]:
    """Returns the ``vocab`` of a tokenizer.json, if it numbers tokens.

    Raises:
        UserError: it is something else, or a number is far beyond the number of tokens.
    """
    if not isinstance(vocabulary, dict) or not all(
        type(row) is int and 0 <= row < _MOST_ROWS for row in vocabulary.values()
    ):
        raise UserError(f"{path} is damaged: its vocab does not number tokens; fetch it again")
    return vocabulary


def parse_wordpiece(
    vocab: bytes,
    config: bytes = b"{}",
    source: str = VOCAB_NAME,
    config_source: str = CONFIG_NAME,
    listed: Mapping[str, Any] | None = None,
    old: Mapping[str, Any] | None = None,
) -> WordPieceFiles:
    """Makes a WordPiece vocabulary from the contents of its files.

    If a token stands in several lines, the last one counts, as for BertTokenizer.

    Args:
        vocab: content of vocab.txt.
        config: content of tokenizer_config.json.
        source: the name of vocab.txt in error messages.
        config_source: the name of tokenizer_config.json in error messages.
        listed: content of tokenizer.json; its ``normalizer`` decides what tokenizer_config.json
            leaves open. If both leave it open, text becomes lower case unless the vocabulary has
            capitals, which could not occur then.
        old: content of added_tokens.json.

    Raises:
        UserError: see ``read_wordpiece``.
    """
    try:
        lines = vocab.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise UserError(f"{source} is not UTF-8; give a {VOCAB_NAME} of BERT") from None
    if lines[0].startswith("\ufeff"):
        raise UserError(f"{source}:1: begins with a byte order mark; remove it")
    while lines and not lines[-1]:
        lines.pop()
    tokens = {line: row for row, line in enumerate(lines)}
    tokens.pop("", None)
    values, listed = _json_object(config, config_source), listed or {}
    normalizer = listed.get("normalizer")
    settings = _settings(values, normalizer if isinstance(normalizer, dict) else {}, tokens)
    _check(settings, config_source)
    folder = str(Path(source).parent)
    added = parse_added_tokens(settings.specials, folder, listed, values, old or {})
    return WordPieceFiles(tokens, vocab, settings._replace(added=added), source)


def _settings(
    config: Mapping[str, Any], normalizer: Mapping[str, Any], tokens: Iterable[str]
) -> WordPieceSettings:
    specials: list[Any] = []
    for key, usual in _SPECIALS.items():
        special = config.get(key) or usual
        specials.append(special.get("content") if isinstance(special, dict) else special)
    cased = any(_CAPITAL.search(token) for token in tokens if not _NAME.fullmatch(token))
    return WordPieceSettings(
        config.get("do_lower_case", normalizer.get("lowercase", not cased)),
        config.get("strip_accents", normalizer.get("strip_accents")),
        config.get("tokenize_chinese_chars", normalizer.get("handle_chinese_chars", True)),
        tuple(specials),
    )


def _check(settings: WordPieceSettings, source: str) -> None:
    for key in ("do_lower_case", "strip_accents", "tokenize_chinese_chars"):
        value = getattr(settings, key)
        if not isinstance(value, bool) and (key, value) != ("strip_accents", None):
            raise UserError(f"{source}: {key} is {value!r}; it must be true or false")
    if not all(isinstance(special, str) for special in settings.specials):
        raise UserError(f"{source}: a special token is not a string: {settings.specials}")


def _json_object(data: bytes, source: str) -> dict[str, Any]:
    content = parse_json(data, f"{source} is damaged: it is not a JSON object; fetch it again")
    if content.get("tokenizer_class") == "BertJapaneseTokenizer":
        raise UserError(f"{source}: BertJapaneseTokenizer splits words in another way than BERT")
    return content
