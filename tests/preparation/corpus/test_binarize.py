"""One corpus in fairseq's binary files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from fairseq_amber.data.token_file import DatasetWriter, token_dtype
from fairseq_amber.errors import UserError
from fairseq_amber.files.text import check_file
from fairseq_amber.preparation.corpus import encode
from fairseq_amber.preparation.corpus.binarize import binarize, without_duplicates
from fairseq_amber.preparation.corpus.encode import DUPLICATE, EncodedBlock
from fairseq_amber.preparation.corpus.raw_files import Corpus
from fairseq_amber.preparation.corpus.settings import FilterSettings
from fairseq_amber.preparation.corpus.vocabulary import load_vocabulary
from fairseq_amber.tokenizers.subwords import MODEL_NAME, TokenizerFiles


@pytest.fixture
def small_model() -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(["a b c ab ba"] * 5),
        model_writer=model,
        vocab_size=20,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


def test_stock_reader_gives_back_what_was_written_in_32_bits(tmp_path: Path):
    from fairseq.data.indexed_dataset import MMapIndexedDataset

    assert token_dtype(65499) is np.uint16 and token_dtype(65500) is np.uint32
    writer = DatasetWriter(tmp_path / "train", np.uint32)
    writer.add(np.array([70000, 2, 5, 2]), np.array([2, 2]))
    writer.add(np.array([2], dtype=np.uint32), np.array([1]))
    writer.finish()
    writer.close()
    dataset = MMapIndexedDataset(str(tmp_path / "train"))
    assert [line.tolist() for line in dataset] == [[70000, 2], [5, 2], [2]]


def block(*digests: bytes) -> EncodedBlock:
    ids = np.arange(2 * len(digests), dtype=np.uint16)
    return EncodedBlock((ids,), (np.full(len(digests), 2),), {"empty": 1}, list(digests))


def test_lines_that_were_seen_before_are_dropped():
    seen: set[bytes] = set()
    first = without_duplicates(block(b"a", b"b", b"a"), seen)
    assert first.ids[0].tolist() == [0, 1, 2, 3] and first.dropped == {"empty": 1, DUPLICATE: 1}
    second = without_duplicates(block(b"b", b"c"), seen)
    assert second.ids[0].tolist() == [2, 3] and seen == {b"a", b"b", b"c"}
    unmarked = block()
    assert without_duplicates(unmarked, seen) is unmarked


class OneProcess:
    """A pool that calls in this process."""

    def map(self, function, calls):
        return (function(*arguments) for arguments in calls)


def test_counts_and_datasets_of_a_pair(small_model: bytes, tmp_path: Path):
    from fairseq.data.indexed_dataset import MMapIndexedDataset

    sides = {"de": "ab\n\na b c\n\u2603\n", "en": "a\nb\nab\nb\n"}
    files = []
    for language, text in sides.items():
        files.append(tmp_path / f"train.de-en.{language}")
        files[-1].write_text(text, encoding="utf-8")
    texts = {path: check_file(path) for path in files}
    corpus = Corpus(("de", "en"), "train", (tuple(files),))
    vocabulary = load_vocabulary(TokenizerFiles({MODEL_NAME: small_model}, "m"))
    encode.start_encoder(vocabulary, FilterSettings())
    done: list[int] = []
    arguments = corpus, texts, OneProcess(), tmp_path, vocabulary.size, done.append
    writers, word_writers, counts = binarize(*arguments)
    assert not word_writers and not list(tmp_path.glob("*.words"))
    assert (counts.lines, counts.kept, counts.dropped) == (4, 3, {"empty": 1})
    assert counts.unknown == [1, 0] and sum(done) == 4
    for writer, tokens in zip(writers, counts.tokens):
        stored = MMapIndexedDataset(str(writer.prefix))
        assert len(stored) == 3 and all(line[-1] == 2 for line in stored)
        assert sum(len(line) - 1 for line in stored) == tokens
    encode.start_encoder(vocabulary, FilterSettings(max_length=1))
    files[0].write_text("a b c\n")
    files[1].write_text("a b c\n")
    texts = {path: check_file(path) for path in files}
    with pytest.raises(UserError, match="every line of train.de-en.de and .* was dropped"):
        binarize(corpus, texts, OneProcess(), tmp_path, vocabulary.size, done.append)
