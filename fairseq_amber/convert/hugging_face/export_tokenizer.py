"""Writes our tokenizer in the form that Hugging Face's AutoTokenizer reads."""

from __future__ import annotations

import json
from typing import Any, Sequence

from fairseq_amber.convert.sentencepiece_model import SentencePieceModel
from fairseq_amber.convert.vocabulary import Vocabulary, shorten
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import encode_json
from fairseq_amber.tokenizers.added_token_files import AddedToken
from fairseq_amber.tokenizers.fairseq_order import MASK, SPECIALS, UNKNOWN, fairseq_order
from fairseq_amber.tokenizers.subwords import MODEL_NAME, SPACE, added_to_sentencepiece
from fairseq_amber.tokenizers.wordpiece_files import (
    CONFIG_NAME,
    JSON_NAME,
    VOCAB_NAME,
    parse_wordpiece,
)


def tokenizer_files(
    vocabulary: Vocabulary, max_length: int
) -> tuple[dict[str, bytes], list[int], dict[str, int]]:
    """Makes the files of the tokenizer.

    SentencePiece keeps fairseq's ids; WordPiece gets back those of vocab.txt.

    Args:
        vocabulary: our vocabulary.
        max_length: largest number of tokens in a row.

    Returns:
        The contents of the files by name, the number of our symbol for each id in Hugging Face's
        order, and the ids of special tokens for config.json.

    Raises:
        UserError: dict.txt and the tokenizer do not belong together.
    """
    if vocabulary.wordpiece:
        return _wordpiece(vocabulary, max_length)
    data = vocabulary.files[MODEL_NAME]
    model = SentencePieceModel(data, MODEL_NAME)
    config = vocabulary.files.get(CONFIG_NAME, b"{}")
    # Tokens that are no pieces come last, as transformers numbers them: a piece could be found
    # where the flags of the token say that it is not.
    places = {symbol: place for place, symbol in enumerate(vocabulary.symbols)}
    added = [
        token
        for token in added_to_sentencepiece(config, vocabulary.source)
        if token.content in places
    ]
    last = {token.content for token in added} - set(model.pieces)
    first = [symbol for symbol in vocabulary.symbols if symbol not in last]
    tokenizer = sentencepiece_tokenizer(model, first)
    tokenizer.add_tokens(list(map(_encoded, added)))
    order = [places[symbol] for symbol in first]
    order += [places[token.content] for token in added if token.content in last]
    mask: dict[str, Any] = {"__type": "AddedToken", "content": MASK, "lstrip": True}
    mask.update(normalized=False, rstrip=False, single_word=False, special=True)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # this class uses tokenizer.json as it is
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": max_length,
        "clean_up_tokenization_spaces": False,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "cls_token": "<s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": mask,
    }
    files = {
        MODEL_NAME: data,
        JSON_NAME: tokenizer.to_str(pretty=True).encode("utf-8"),
        CONFIG_NAME: encode_json(settings),
    }
    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    return files, order, ids


def _encoded(token: AddedToken) -> Any:
    values = token._asdict()
    del values["number"]
    return _import_tokenizers().AddedToken(values.pop("content"), **values)


def sentencepiece_tokenizer(model: SentencePieceModel, symbols: Sequence[str]) -> Any:
    """Makes a ``tokenizers.Tokenizer`` in which the id of a symbol is its place in ``symbols``.

    It cuts text as SentencePiece does, except where two segmentations are equally likely: there,
    rounding in single precision decides for SentencePiece.

    Args:
        model: the SentencePiece model.
        symbols: the symbols of our dictionary.

    Raises:
        UserError: the package is missing, ``symbols`` lacks pieces of the model, or the model has
            unusual settings.
    """
    model.check_plain()
    tokenizers = _import_tokenizers()
    indices = {symbol: index for index, symbol in enumerate(symbols)}
    absent = [piece for piece in model.pieces if piece not in indices]
    if absent:
        raise UserError(
            f"{len(absent)} pieces of {model.name} are not in dict.txt (such as "
            f"{shorten(absent)}): Hugging Face's tokenizers have no way to make them <unk>; "
            "prepare the text with a dictionary that lists all pieces"
        )
    if model.unigram:
        specials = dict.fromkeys((*SPECIALS, MASK), 0.0)
        lowest_score = min(model.scores.values())
        known = [(s, specials.get(s, model.scores.get(s, lowest_score))) for s in symbols]
        inner = tokenizers.models.Unigram(known, unk_id=UNKNOWN)
    else:
        inner = tokenizers.models.BPE(indices, model.merges(), unk_token="<unk>", fuse_unk=True)
    tokenizer = tokenizers.Tokenizer(inner)
    if model.charsmap:
        tokenizer.normalizer = tokenizers.normalizers.Precompiled(model.charsmap)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(" +"), "removed"),
            tokenizers.pre_tokenizers.Metaspace(SPACE, "always"),
        ]
    )
    tokenizer.decoder = tokenizers.decoders.Metaspace(SPACE, "always")
    mask = tokenizers.AddedToken(MASK, lstrip=True, special=True, normalized=False)
    tokenizer.add_special_tokens([*SPECIALS, mask])
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=["<s>", "$A", "</s>"],
        pair=["<s>", "$A", "</s>", "</s>", "$B", "</s>"],
        special_tokens=[(token, indices[token]) for token in ("<s>", "</s>")],
    )
    return tokenizer


def _import_tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise UserError(
            "the package tokenizers is missing; pip install 'fairseq_amber[convert]'"
        ) from None
    return tokenizers


def _wordpiece(
    vocabulary: Vocabulary, max_length: int
) -> tuple[dict[str, bytes], list[int], dict[str, int]]:
    files = vocabulary.files
    wordpieces = parse_wordpiece(files[VOCAB_NAME], files.get(CONFIG_NAME, b"{}"))
    rows = max(len(vocabulary.symbols), wordpieces.rows)
    symbols, lines = fairseq_order(
        wordpieces.numbered, wordpieces.settings.specials, rows, VOCAB_NAME
    )
    places = {symbol: place for place, symbol in enumerate(vocabulary.symbols)}
    absent = [symbol for symbol in symbols if symbol not in places]
    if absent:
        raise UserError(
            f"{vocabulary.source} and {VOCAB_NAME} do not have the same tokens ({shorten(absent)} "
            "in one alone); give the folder the model was trained on with --data"
        )
    order = [place for _, place in sorted(zip(lines, map(places.__getitem__, symbols)))]
    settings = json.loads(wordpieces.settings.encode())
    settings["model_max_length"] = max_length
    listed = {VOCAB_NAME: files[VOCAB_NAME], CONFIG_NAME: encode_json(settings)}
    return listed, order, {"pad_token_id": order.index(SPECIALS.index("<pad>"))}
