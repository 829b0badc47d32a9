import numpy as np
import pytest

from fairseq_amber.data import token_file
from fairseq_amber.data.token_check import check_tokens
from fairseq_amber.data.token_file import DatasetWriter, TokenFile
from fairseq_amber.errors import UserError

EOS = 2


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.setattr(token_file, "_READ_TOGETHER", 2)

    def write(*sentences) -> TokenFile:
        writer = DatasetWriter(tmp_path / "train", np.uint16)
        sizes = [len(sentence) for sentence in sentences]
        writer.add(np.array(sum(sentences, []), np.uint16), np.array(sizes, np.int32))
        writer.finish()
        writer.close()
        return TokenFile(tmp_path / "train")

    return write


def test_what_fits_passes(stored):
    check_tokens(stored([4, 5, 2], [2], [9, 2]), symbols=10, eos=EOS)
    check_tokens(stored(), symbols=10, eos=EOS)


@pytest.mark.parametrize(
    "sentence, message",
    [
        ([4, 10, 2], "train.bin holds token 10 but the dictionary has 10 symbols: it is damaged"),
        ([4, 5], "train.bin holds a sentence that does not end in </s>"),
        ([], "train.bin holds a sentence that does not end in </s>"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2, 4])
def test_what_does_not_is_named_wherever_it_stands(stored, sentence, message, place):
    sentences = [[4, 2]] * 4
    sentences.insert(place, sentence)
    with pytest.raises(UserError, match=message):
        check_tokens(stored(*sentences), symbols=10, eos=EOS)


def test_the_check_may_end_early(stored):
    file = stored([4, 2], [5, 2], [99, 2])
    check_tokens(file, symbols=10, eos=EOS, most=4)
    with pytest.raises(UserError, match="token 99"):
        check_tokens(file, symbols=10, eos=EOS, most=5)
