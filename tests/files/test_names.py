"""Names from a file lead to nothing outside of the folder that they are joined to."""

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.names import check_name, check_relative

BAD_PARTS = [
    "",
    ".",
    "..",
    "a/b",
    "/",
    "a\\b",
    "a\0b",
    "a\nb",
    "\x1b[2J",
    "\x85",
    "\ud800",
    None,
    3,
    [],
]


@pytest.mark.parametrize("name", BAD_PARTS)
def test_what_is_no_part_of_a_path_is_refused(name):
    with pytest.raises(UserError, match="^task.json: the language .* cannot be part of") as error:
        check_name(name, "language", "task.json")
    assert str(error.value).isprintable()


@pytest.mark.parametrize("name", ["de", "zh-min-nan", "sr_Latn", "..de", "日本語", "a b", "α.idx"])
def test_a_usual_name_is_taken(name):
    assert check_name(name, "language", "task.json") == name
    assert check_relative(f"mono/{name}/train.idx", "file", "x") == f"mono/{name}/train.idx"


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/", "a/./b", "a/b\n", "", None, {}]
)
def test_a_path_that_leaves_the_folder_is_refused(path):
    with pytest.raises(UserError, match="prepare.json: the file .* is not a path inside of the"):
        check_relative(path, "file", "prepare.json")
