"""Edits of how checkpoints are written: whole or not at all."""

from __future__ import annotations

from edit import Edit

EDITS = (
    Edit(
        name="whole-files-imports",
        file="fairseq/checkpoint_utils.py",
        anchor="import re\nimport time\n",
        replacement="import re\nimport shutil\nimport time\n",
        reason="for whole-files",
        issue="facebookresearch/fairseq#2684",
    ),
    Edit(
        name="whole-files",
        file="fairseq/checkpoint_utils.py",
        anchor="def torch_persistent_save(obj, filename, async_write: bool = False):\n",
        replacement="@contextlib.contextmanager\n"
        "def whole_file(filename):\n"
        "    # takes the place of the file that is there once it is complete and on the disk\n"
        '    side_file = filename + ".tmp"\n'
        "    try:\n"
        '        with PathManager.open(side_file, "wb") as f:\n'
        "            yield f\n"
        "            f.flush()\n"
        "            os.fsync(f.fileno())\n"
        "        PathManager.rename(side_file, filename)\n"
        "    except BaseException:\n"
        "        if os.path.lexists(side_file):\n"
        "            os.remove(side_file)\n"
        "        raise\n\n\n"
        "def copy_whole(source, filename):\n"
        "    if PathManager.supports_rename(source) and PathManager.supports_rename(filename):\n"
        '        with PathManager.open(source, "rb") as f, whole_file(filename) as copy:\n'
        "            shutil.copyfileobj(f, copy, 1 << 24)\n"
        "    else:\n"
        "        assert PathManager.copy(\n"
        "            source, filename, overwrite=True\n"
        '        ), f"Failed to copy {source} to {filename}"\n\n\n'
        "def torch_persistent_save(obj, filename, async_write: bool = False):\n",
        reason="for whole-copies and whole-saves: a file beside the checkpoint is written, brought "
        "to the disk and renamed",
        issue="facebookresearch/fairseq#2684",
    ),
    Edit(
        name="whole-copies",
        file="fairseq/checkpoint_utils.py",
        anchor="                assert PathManager.copy(\n"
        "                    checkpoints[0], cp, overwrite=True\n"
        '                ), f"Failed to copy {checkpoints[0]} to {cp}"\n',
        replacement="                copy_whole(checkpoints[0], cp)\n",
        reason="checkpoint_last.pt and checkpoint_best.pt are overwritten in place: killed then, "
        "or on a full disk, a run leaves a torn file and cannot go on",
        issue="facebookresearch/fairseq#2684",
    ),
    Edit(
        name="whole-saves",
        file="fairseq/checkpoint_utils.py",
        anchor='            with PathManager.open(filename + ".tmp", "wb") as f:\n'
        "                _torch_persistent_save(obj, f)\n"
        '            PathManager.rename(filename + ".tmp", filename)\n',
        replacement="            with whole_file(filename) as f:\n"
        "                _torch_persistent_save(obj, f)\n",
        reason="a new checkpoint is renamed before it is on the disk, and one that failed leaves a "
        "file `*.tmp` for ever",
        issue="facebookresearch/fairseq#2684",
    ),
    Edit(
        name="fresh-retries",
        file="fairseq/checkpoint_utils.py",
        anchor="    for i in range(3):\n        try:\n            return torch.save(obj, f)\n",
        replacement="    start = f.tell() if f.seekable() else None\n"
        "    for i in range(3):\n"
        "        try:\n"
        "            if i > 0 and start is not None:\n"
        "                f.seek(start)\n"
        "                f.truncate()\n"
        "            return torch.save(obj, f)\n",
        reason="a save that failed is tried again behind what the first try wrote: the file has a "
        "false start and does not load",
        issue="",
    ),
)
