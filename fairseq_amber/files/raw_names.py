"""What the names of the files in a folder of raw text say, and which files are not taken, and why.

The files of a pair say themselves where its first language ends, see ``files.pair_names``. Of
monolingual text the ending alone is the language, so that an ending which may be something else is
taken for a language only where a pair or the user names it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Collection, Dict, NamedTuple, Tuple

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.compressed import SUFFIXES, plain_name
from fairseq_amber.files.pair_names import find_languages, is_language_code

EXPECTED = "train.de and valid.de, or train.de-en.de and train.de-en.en"

Languages = Tuple[str, ...]  # ("de",) for monolingual text, ("de", "en") for aligned text
Key = Tuple[Languages, str]  # languages, split
Sources = Tuple[Tuple[Path, ...], ...]

_SPLITS = {"train": "train", "valid": "valid", "dev": "valid", "test": "test"}
_NAME = re.compile(r"(train|valid|dev|test)(\d*)\.(?:([^.]+-[^.]+)\.)?([^.]+)")
_LIKE_TEXT = re.compile(r"(?i)(train|valid|dev|test|tst|eval)")
_LIKE_A_PAIR = re.compile(r"[a-z]{2,3}-[a-z]{2,3}")
_NAMED = re.compile(r"[A-Za-z0-9]+(?:[-_@+][A-Za-z0-9]+)*")
# endings that look like language codes but mark other kinds of files
_OTHER_ENDINGS = frozenset("bak bin csv gz idx log md old org py sh tmp tsv txt xz zip".split())

_NO_NAME = "no name such as train.de or train.de-en.de: rename what is text"
_PARTS = "only training text may lie in numbered files: join them"
_MONO_TEST = "test text is aligned, as test.de-en.de"
_NO_SIDE = "the ending is no language of the pair: rename what is text"
_FOLDER = "a folder, or no regular file"
_MAYBE = "a language, a pair or another ending? --languages LANG takes it as a language"
_MOST_NAMES = 6  # files of one reason that a message lists


class RawFiles(NamedTuple):
    """The files of a folder of raw text.

    Attributes:
        texts: for each corpus groups of files, one file for each language.
        left_out: the names of the files that look like text and are not taken, by the reason.
    """

    texts: dict[Key, Sources]
    left_out: dict[str, list[str]]

    def describe_left_out(self) -> str:
        """Returns the files that are not taken and the reasons; empty if all are taken."""
        groups = []
        for reason, names in self.left_out.items():
            shown = [name if name.isprintable() else repr(name) for name in names[:_MOST_NAMES]]
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            groups.append(f"{', '.join(shown)}{more} ({reason})")
        return "; ".join(groups)


# the file of each ending, by number: train1.de has the number 1
_Numbered = Dict[int, Dict[str, Path]]


def find_texts(raw: Path, wanted: Collection[str] = ()) -> dict[Key, Sources]:
    """Finds the text in a folder, and warns of files that look like text and are not taken.

    Args:
        raw: the folder.
        wanted: names that are languages, whatever they look like.

    Returns:
        For each corpus groups of files, one file for each language.

    Raises:
        UserError: there is no text; see also ``read_names``.
    """
    files = read_names(raw, wanted)
    left_out = files.describe_left_out()
    if not files.texts:
        hint = f"; not taken: {left_out}" if left_out else ""
        raise UserError(f"{raw} holds no corpora; files must be named like {EXPECTED}{hint}")
    if left_out:
        warn(f"{raw}: not taken: {left_out}")
    return files.texts


def read_names(raw: Path, wanted: Collection[str] = ()) -> RawFiles:
    """Finds the text in a folder by the names of its files.

    Args:
        raw: the folder.
        wanted: names that are languages, whatever they look like.

    Raises:
        UserError: the folder cannot be read, a pair has only one side, or two files have the same
            text by their names, such as dev.de and valid.de or train.de and train.de.gz.
    """
    try:
        paths = sorted(path for path in raw.iterdir() if not path.name.startswith("."))
    except (NotADirectoryError, FileNotFoundError):
        raise UserError(f"{raw} is not a folder; give the folder that holds {EXPECTED}") from None
    except OSError as error:
        raise UserError(f"cannot read {raw}: {error.strerror}") from None
    left_out: dict[str, list[str]] = {}
    groups: dict[tuple[str, str], _Numbered] = {}
    for path in paths:
        match = _NAME.fullmatch(plain_name(path.name))
        reason = _reason(path, match)
        if reason is not None:
            if reason:
                left_out.setdefault(reason, []).append(path.name)
            continue
        assert match is not None
        split, number, pair, ending = match.groups()
        numbered = groups.setdefault((pair or "", _SPLITS[split]), {})
        other = numbered.setdefault(int(number or 0), {}).setdefault(ending, path)
        if other != path:
            raise UserError(
                f"{raw} holds both {other.name} and {path.name}, two names of the same text; "
                "remove or rename one"
            )
    texts = _pairs(groups, left_out)
    known = {language for languages, _ in texts for language in languages}.union(wanted)
    for split in ("train", "valid"):
        texts.update(_monolingual(groups.get(("", split), {}), split, known, left_out))
    return RawFiles(texts, {reason: sorted(names) for reason, names in left_out.items()})


def _reason(path: Path, match: re.Match | None) -> str | None:
    """Returns why a file is not taken; None if it may be, empty if it does not look like text."""
    if match is None:
        is_like_text = _LIKE_TEXT.match(path.name) or path.name.lower().endswith(SUFFIXES)
        return _NO_NAME if is_like_text and not path.is_dir() else ""
    if path.exists() and not path.is_file():
        return _FOLDER
    if match[1] != "train" and match[2]:
        return _PARTS
    if match[1] == "test" and match[3] is None:
        return _MONO_TEST
    return None


def _pairs(
    groups: dict[tuple[str, str], _Numbered], left_out: dict[str, list[str]]
) -> dict[Key, Sources]:
    endings: dict[str, set[str]] = {}
    for (pair, _), numbered in groups.items():
        endings.setdefault(pair, set()).update(*numbered.values())
    texts: dict[Key, Sources] = {}
    for (pair, split), numbered in groups.items():
        if not pair:
            continue
        name = find_languages(pair, endings[pair])
        sides = name.languages if name and all(map(_NAMED.fullmatch, name.languages)) else ()
        found = []
        for _, files in sorted(numbered.items()):
            # a gold standard beside the text is none: train.de-en.gold
            others = [end for end in files if end not in sides]
            for ending in others:
                if not sides or is_language_code(ending):
                    left_out.setdefault(_NO_SIDE, []).append(files[ending].name)
            if len(others) < len(files):
                found.append(_both_sides(files, sides))
        if found:
            texts[sides, split] = tuple(found)
    return texts


def _both_sides(files: dict[str, Path], sides: tuple[str, ...]) -> tuple[Path, ...]:
    for language, other in zip(sides, reversed(sides)):
        if language not in files:
            path = files[other]
            plain = plain_name(path.name)
            missing = plain[: plain.rindex(".") + 1] + language
            raise UserError(f"{path} has no partner {missing}; add it or remove {path.name}")
    return tuple(files[language] for language in sides)


def _monolingual(
    numbered: _Numbered, split: str, known: Collection[str], left_out: dict[str, list[str]]
) -> dict[Key, Sources]:
    texts: dict[Key, Sources] = {}
    for _, files in sorted(numbered.items()):
        for language, path in files.items():
            doubtful = language in _OTHER_ENDINGS or _LIKE_A_PAIR.fullmatch(language)
            if language in known or (is_language_code(language) and not doubtful):
                key = (language,), split
                texts[key] = (*texts.get(key, ()), (path,))
            else:
                reason = _MAYBE if _NAMED.fullmatch(language) else _NO_NAME
                left_out.setdefault(reason, []).append(path.name)
    return texts


def other_spellings(languages: Collection[str]) -> list[str]:
    """Returns the languages that are spelled in more than one way, such as ``RU, ru``."""
    spellings: dict[str, list[str]] = {}
    for language in sorted(languages):
        spellings.setdefault(re.sub("[-@]", "_", language).lower(), []).append(language)
    return [", ".join(names) for names in spellings.values() if len(names) > 1]
