"""fairseq's checkpoints: what does not fit is refused in one line, and nothing is written."""

import shutil

import pytest
import torch

from fairseq_amber import load
from fairseq_amber.convert.reading import model_files
from fairseq_amber.files.torch_file import read_torch_file


def change_checkpoint(folder, edit):
    state = read_torch_file(folder / "model.pt")
    edit(state)
    torch.save(state, folder / "model.pt")


def test_the_released_folder_and_a_converted_one_load_as_they_are(
    fairseq_xlmr, sentences, tmp_path, convert
):
    convert(fairseq_xlmr, tmp_path / "ours")
    moved = shutil.move(tmp_path / "ours", tmp_path / "moved")
    vectors = load(fairseq_xlmr, device="cpu").embed(sentences)
    for source, data in (
        (fairseq_xlmr / "model.pt", None),
        (fairseq_xlmr, moved),
        (moved, None),
        (moved / "model.pt", fairseq_xlmr),
    ):
        encoder = load(source, data=data, device="cpu")
        assert torch.equal(encoder.embed(sentences), vectors)
        assert encoder.config["checkpoint"] == str(source)
        assert encoder.data == (data or source)
        assert model_files(source) == [source if source.is_file() else source / "model.pt"]


class RunsCode:
    def __reduce__(self):
        return eval, ("1 / 0",)


def test_a_checkpoint_that_holds_code(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    change_checkpoint(folder, lambda state: state.update(extra_state=RunsCode()))
    line = refused(folder)
    assert "model.pt is refused: it holds" in line and "eval" in line


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"<html>404</html>"])
def test_a_file_that_is_no_checkpoint(content, fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    (folder / "model.pt").write_bytes(content)
    assert "model.pt is not a complete checkpoint" in refused(folder)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_checkpoint(zipped, fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    if zipped:
        change_checkpoint(folder, lambda state: None)
    content = (folder / "model.pt").read_bytes()
    (folder / "model.pt").write_bytes(content[: len(content) * 2 // 3])
    assert "model.pt is not a complete checkpoint" in refused(folder)


def test_another_dictionary_of_the_same_size(fairseq_xlmr, tmp_path, convert, refused):
    convert(fairseq_xlmr, tmp_path / "ours")
    path = tmp_path / "ours" / "dict.txt"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(reversed(lines)), encoding="utf-8")
    assert "is not the dictionary that" in refused(tmp_path / "ours" / "model.pt")


def test_missing_files_of_a_fairseq_folder(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    (folder / "sentencepiece.bpe.model").unlink()
    assert "holds neither sentencepiece.bpe.model nor vocab.txt" in refused(folder)
    (folder / "dict.txt").unlink()
    assert "no dict.txt beside" in refused(folder)
    (folder / "model.pt").unlink()
    assert "neither config.json (Hugging Face) nor model.pt (fairseq)" in refused(folder)
    assert "cannot read" in refused(folder / "nothing.pt")


@pytest.mark.parametrize(
    "setting, value",
    [
        ("activation_fn", "relu"),
        ("encoder_normalize_before", True),
        ("untie_weights_roberta", True),
    ],
)
def test_a_roberta_that_this_model_cannot_be(setting, value, fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    change_checkpoint(folder, lambda state: setattr(state["args"], setting, value))
    assert f"has {setting} = {value}, where this model has" in refused(folder)


def test_another_model_of_fairseq(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    change_checkpoint(folder, lambda state: state.update(model={"w": torch.zeros(2)}))
    assert "holds another model than RoBERTa's" in refused(folder)
    change_checkpoint(folder, lambda state: state.update(args=None))
    assert "not the settings" in refused(folder)
