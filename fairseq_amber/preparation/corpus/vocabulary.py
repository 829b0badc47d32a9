"""The vocabulary: a tokenizer, and the fairseq dictionary that numbers its pieces."""

from __future__ import annotations

import hashlib
import io
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, NamedTuple, Sequence

import numpy as np

from fairseq_amber.convert.source import is_model
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes
from fairseq_amber.files.text import TextFile, blocks, read_block
from fairseq_amber.files.text_contents import is_visible
from fairseq_amber.preparation.corpus.settings import VocabularySettings
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN, parse_dictionary
from fairseq_amber.tokenizers.subwords import (
    DICTIONARY_NAME,
    MODEL_NAME,
    TokenizerFiles,
    find_tokenizer,
    import_sentencepiece,
)

if TYPE_CHECKING:
    from fairseq_amber.convert.vocabulary import Vocabulary as ModelVocabulary

# SentencePiece leaves out, without a word, lines of more bytes than its max_sentence_length, by
# default _USUAL_LINE, and lines with the character that it writes for unknown ones, ▅.
_USUAL_LINE = 4192
_LONGEST_LINE = 1 << 30  # the largest limit that it takes
_RESERVED = "\u2585"


class Vocabulary(NamedTuple):
    """A tokenizer with its fairseq dictionary.

    Attributes:
        tokenizer: the files of the tokenizer.
        dictionary: the content of dict.txt.
        size: fairseq's ``len(dictionary)``.
        ids: (pieces of the tokenizer,) int64, the fairseq id of each piece.
        unlisted: number of pieces that the dictionary lacks, so that they become ``<unk>``.
    """

    tokenizer: TokenizerFiles
    dictionary: bytes
    size: int
    ids: np.ndarray
    unlisted: int

    @property
    def files(self) -> dict[str, bytes]:
        """The contents of all files, by the names that they have in a data folder."""
        return {**self.tokenizer.files, DICTIONARY_NAME: self.dictionary}

    def digests(self) -> dict[str, str]:
        """Returns the digest of each file, by name."""
        return {
            name: hashlib.blake2b(data, digest_size=16).hexdigest()
            for name, data in self.files.items()
        }


def load_vocabulary(
    tokenizer: TokenizerFiles,
    dictionary: bytes | None = None,
    dictionary_name: str = DICTIONARY_NAME,
) -> Vocabulary:
    """Makes a vocabulary from the contents of its files.

    Args:
        tokenizer: the files of the tokenizer.
        dictionary: the content of dict.txt; by default it lists the tokenizer's pieces in their
            order, without the special ones.
        dictionary_name: the name of the dictionary in error messages.

    Raises:
        UserError: a file is not what its name says, or the dictionary does not fit the tokenizer.
    """
    subwords = tokenizer.load()
    pieces = subwords.pieces
    if dictionary is None:
        # fairseq requires a count for each piece, which a tokenizer does not tell
        dictionary = "".join(f"{piece} 1\n" for piece in subwords.listed).encode("utf-8")
    indices, size = parse_dictionary(dictionary, dictionary_name)
    ids = np.array([indices.get(piece, UNKNOWN) if piece else UNKNOWN for piece in pieces])
    encodable = sum(piece is not None for piece in pieces)
    known = int((ids != UNKNOWN).sum())
    if known < encodable / 2:
        raise UserError(
            f"{dictionary_name} lists only {known} of the {encodable} pieces of "
            f"{tokenizer.origin}; give the dictionary that was made for it"
        )
    return Vocabulary(tokenizer, dictionary, size, ids, encodable - known)


def read_vocabulary(path: Path, dictionary: Path | None = None) -> Vocabulary:
    """Reads a tokenizer with its dictionary.

    Args:
        path: a tokenizer, see ``find_tokenizer``; or a model, see ``read_vocabulary_of``, whose
            dictionary has a symbol for each row of its embedding.
        dictionary: a dict.txt; by default that of the model, or the one beside the tokenizer.

    Raises:
        UserError: a file is missing or damaged, or the dictionary does not fit the tokenizer.
    """
    model = _of_model(path) if is_model(path) else None
    if model is not None:
        tokenizer, contents = TokenizerFiles(model.files, model.source), model.dictionary()
    else:
        tokenizer, contents = find_tokenizer(path), None
        dictionary = dictionary or tokenizer.dictionary
    if dictionary is not None:
        contents = read_bytes(dictionary)
    return load_vocabulary(tokenizer, contents, str(dictionary))


def _of_model(path: Path) -> ModelVocabulary | None:
    from fairseq_amber.convert.reading import read_vocabulary_of  # torch is slow to import

    return read_vocabulary_of(path)


def sampling_plan(lines: dict[str, int], alpha: float, most: int) -> dict[str, int]:
    """Decides how many lines of each language the vocabulary is learnt from.

    The numbers are in proportion to lines ** alpha, so that lines of small languages are repeated.

    Args:
        lines: number of lines of each language.
        alpha: the exponent.
        most: limit of all lines together; a smaller text gives as many lines as it has.
    """
    total = min(sum(lines.values()), most)
    weights = {language: count**alpha for language, count in lines.items()}
    scale = total / sum(weights.values())
    return {language: max(1, round(scale * weight)) for language, weight in weights.items()}


def sample_lines(texts: Sequence[TextFile], wanted: int, seed: str) -> Iterator[str]:
    """Draws lines evenly, and yields them in order.

    Every one of the n lines comes floor(wanted / n) times, and a random subset, drawn without
    replacement, comes once more (Knuth's selection sampling).

    Args:
        texts: the files.
        wanted: number of lines to draw.
        seed: seed of the random subset.

    Yields:
        Exactly ``wanted`` lines.
    """
    remaining = sum(text.lines for text in texts)
    times, extra = divmod(wanted, remaining)
    generator = random.Random(seed)
    for text in texts:
        for block in blocks(text):
            for line in read_block(block):
                chosen = generator.random() * remaining < extra
                extra -= chosen
                remaining -= 1
                for _ in range(times + chosen):
                    yield line


def learn_model(
    texts: dict[str, Sequence[TextFile]], settings: VocabularySettings
) -> TokenizerFiles:
    """Learns one SentencePiece model from the text of all languages.

    The same text and settings give the same bytes on any machine with this version of
    SentencePiece: the number of threads, which changes the order of its sums, stays at the
    default of 16.

    Args:
        texts: the files of each language.
        settings: the settings of SentencePiece and of the sampling.

    Raises:
        UserError: the vocabulary is too small for the characters, or the text is blank.
    """
    lines = {language: sum(text.lines for text in files) for language, files in texts.items()}
    plan = sampling_plan(lines, settings.vocab_alpha, settings.vocab_sentences)

    def sampled() -> Iterator[str]:
        for language in sorted(texts):
            name = f"{settings.seed}:{language}"
            for line in sample_lines(texts[language], plan[language], name):
                yield line.replace(_RESERVED, " ")

    if not any(map(is_visible, sampled())):  # SentencePiece would abort the process
        raise UserError("the training text has only blank lines; give text to learn from")
    longest = max(text.longest for files in texts.values() for text in files)
    model = io.BytesIO()
    try:
        import_sentencepiece().SentencePieceTrainer.Train(
            sentence_iterator=sampled(),
            model_writer=model,
            vocab_size=settings.vocab_size,
            model_type=settings.model_type,
            character_coverage=settings.character_coverage,
            hard_vocab_limit=False,  # so that a small text may give fewer pieces
            max_sentence_length=min(max(longest, _USUAL_LINE), _LONGEST_LINE),
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(_explain(str(error), settings)) from None
    return TokenizerFiles({MODEL_NAME: model.getvalue()}, MODEL_NAME)


def _explain(message: str, settings: VocabularySettings) -> str:
    too_small = re.search(r"smaller than required_chars\. (\d+) vs (\d+)", message)
    if too_small:
        return (
            f"--vocab-size {settings.vocab_size} is too small: the characters of the text alone "
            f"need {too_small[2]}; raise it, or lower --character-coverage"
        )
    return f"SentencePiece could not learn a vocabulary: {' '.join(message.split())}"
