from pathlib import Path

from fairseq_amber.doctor.inspection import Inspection
from fairseq_amber.errors import UserError


def broken(path):
    raise UserError(f"{path} is damaged: fetch it again")


def test_damages_are_gathered_beside_what_is_whole():
    inspection = Inspection(Path("folder"), "a folder")
    assert inspection.check("files", len, "abc") == 3
    assert inspection.as_text() == "folder: a folder\n  checked: 1 files\n  no damage found"
    assert inspection.check("files", broken, "x") is None
    assert inspection.check("sets", broken, "y") is None
    assert inspection.as_json() == {
        "path": "folder",
        "kind": "a folder",
        "checked": {"files": 2, "sets": 1},
        "damages": ["x is damaged: fetch it again", "y is damaged: fetch it again"],
    }
    assert inspection.as_text() == (
        "folder: a folder\n  checked: 2 files, 1 sets\n"
        "  x is damaged: fetch it again\n  y is damaged: fetch it again"
    )
