"""The files that a task is prepared from: those given by name, and those of XTREME's folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict, List, Sequence

from fairseq_amber.data.finetuning.task_folder import SPLITS
from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.compressed import plain_name
from fairseq_amber.preparation.task.examples import examples_class

Sources = Dict[str, Dict[str, List[Path]]]  # by split and language

_LANGUAGE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")


def collect_sources(
    task: str, xtreme: Path | None, given: dict[str, Sequence[tuple[str, Path]]]
) -> Sources:
    """Returns the files of each split and language, in the order given.

    Files given for a split and language take the place of XTREME's.

    Args:
        task: the task's name.
        xtreme: XTREME's folder "download"; None to use no file of it.
        given: by split, pairs of language and file.

    Raises:
        UserError: there are no files, a file does not exist or is given twice, or the name of a
            language cannot be a part of a file's name.
    """
    sources: Sources = {split: {} for split in SPLITS}
    if xtreme is not None:
        sources.update(_xtreme_files(task, xtreme))
    for split, pairs in given.items():
        for language in {language for language, _ in pairs}:
            sources[split][language] = []
        for language, path in pairs:
            _check(split, language, path, sources[split][language])
            sources[split][language].append(path)
    sources = {split: languages for split, languages in sources.items() if languages}
    if not sources:
        raise UserError(
            "no files to prepare; name them by --train en=FILE, --valid LANG=FILE and "
            "--test LANG=FILE, or give XTREME's folder by --xtreme DIR"
        )
    return sources


def _check(split: str, language: str, path: Path, others: Sequence[Path]) -> None:
    if not _LANGUAGE.fullmatch(language):
        raise UserError(f"--{split} {language}={path}: {language!r} is not a language such as en")
    if not path.is_file():
        raise UserError(f"--{split} {language}={path}: there is no such file")
    if any(os.path.samefile(path, other) for other in others):
        raise UserError(f"--{split} {language}={path}: given twice")


def _xtreme_files(task: str, folder: Path) -> Sources:
    """Returns XTREME's files: the English training files, and all files to validate and test on."""
    found: Sources = {split: {} for split in SPLITS}
    names = examples_class(task).xtreme_files.get(task)
    if names is None:
        raise UserError(f"XTREME has no task {task}; name the files by --train en=FILE")
    for split, name in zip(SPLITS, names):
        languages: dict[str, list[Path]] = {}
        if name is not None:
            pattern = re.escape(name).replace("LANG", f"(?P<language>{_LANGUAGE.pattern})", 1)
            pattern = pattern.replace("LANG", "(?P=language)")
            for path in sorted(folder.glob(name.replace("LANG", "*") + "*")):
                match = re.fullmatch(pattern, plain_name(path.relative_to(folder).as_posix()))
                language = match and match.groupdict().get("language", "en")
                if language in languages:
                    warn(f"{path} is not read: {languages[language][0]} is")
                elif language:
                    languages[language] = [path]
                elif name.count("LANG") == 1:  # else context and question differ in language
                    warn(f"{path} is not read: its name is not {name} for a language LANG")
        found[split] = languages
    found["train"] = {
        language: paths for language, paths in found["train"].items() if language == "en"
    }
    if not any(found.values()):
        wanted = ", ".join(name for name in names if name)
        raise UserError(
            f"{folder} has none of XTREME's files for {task} ({wanted}); --xtreme must name the "
            'folder "download" that XTREME\'s scripts/download_data.sh fills'
        )
    return found
