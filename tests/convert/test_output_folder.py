"""The folder that a conversion writes is complete or absent."""

import pytest

from fairseq_amber.convert.output_folder import output_folder


def test_an_output_that_is_not_empty_is_left_alone(hf_mbert, tmp_path, complaint):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    assert "exists and is not empty" in complaint("convert", hf_mbert, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_the_folder_appears_when_all_is_written(tmp_path):
    with output_folder(tmp_path / "new" / "out") as folder:
        folder.put("inner/file", b"x")
        assert not folder.path.exists()
    assert (tmp_path / "new" / "out" / "inner" / "file").read_bytes() == b"x"


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), output_folder(tmp_path / "out") as folder:
        folder.put("file", b"x")
        1 / 0  # noqa: B018
    assert not any(tmp_path.iterdir())
