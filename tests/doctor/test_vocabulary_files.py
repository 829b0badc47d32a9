import shutil

from fairseq_amber.doctor.inspection import Inspection
from fairseq_amber.doctor.vocabulary_files import inspect_vocabulary


def look(folder):
    inspection = Inspection(folder, "a folder")
    return inspect_vocabulary(inspection), inspection


def test_the_mask_counts_as_a_symbol(data_bin):
    symbols, found = look(data_bin)
    listed = (data_bin / "dict.txt").read_text(encoding="utf-8").splitlines()
    assert symbols == 4 + len(listed) + 1 and found.damages == []


def test_counts_may_differ_but_symbols_may_not(data_bin):
    copy = data_bin / "mono" / "dict.txt"
    text = copy.read_text(encoding="utf-8")
    copy.write_text(text.replace(" 1\n", " 7\n"), encoding="utf-8")
    assert look(data_bin)[1].damages == []
    copy.write_text("".join(sorted(text.splitlines(True))), encoding="utf-8")
    assert "are different dictionaries" in look(data_bin)[1].damages[0]


def test_an_empty_or_missing_dictionary(data_bin):
    (data_bin / "dict.txt").write_bytes(b"")
    symbols, found = look(data_bin)
    assert symbols is None and found.damages == [
        f"{data_bin / 'dict.txt'} is empty: prepare the folder again"
    ]
    (data_bin / "dict.txt").unlink()
    assert look(data_bin)[1].damages[0].startswith(f"cannot read {data_bin / 'dict.txt'}")


def test_a_tokenizer_is_not_required_but_must_fit(data_bin, tmp_path):
    (data_bin / "sentencepiece.bpe.model").write_bytes(b"")
    assert "is not a SentencePiece model" in look(data_bin)[1].damages[0]
    (tmp_path / "bare").mkdir()
    shutil.copy(data_bin / "dict.txt", tmp_path / "bare")
    symbols, found = look(tmp_path / "bare")
    assert found.damages == [] and found.checked == {"dictionaries": 1}
