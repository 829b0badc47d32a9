"""Finds the corpora in a folder of raw text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Container, Mapping, Sequence, Tuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import TextFile

_SPLITS = {"train": "train", "valid": "valid", "dev": "valid", "test": "test"}
_LANGUAGE = r"[a-z]{2,3}(?:_[A-Za-z0-9]+)*"
_PARALLEL = re.compile(rf"(train|valid|dev|test)\.({_LANGUAGE})-({_LANGUAGE})\.({_LANGUAGE})")
_MONOLINGUAL = re.compile(rf"(train|valid|dev)\.({_LANGUAGE})")
# endings that look like language codes but mark other kinds of files
_OTHER_ENDINGS = frozenset("bak bin csv gz idx log md old py sh tmp tsv txt xz".split())
_EXPECTED = "train.de and valid.de, or train.de-en.de and train.de-en.en"

Languages = Tuple[str, ...]  # ("de",) for monolingual text, ("de", "en") for aligned text
_Key = Tuple[Languages, str]  # languages, split
_Sources = Tuple[Tuple[Path, ...], ...]


@dataclass(frozen=True)
class Corpus:
    """The lines that become one split of a monolingual or a parallel dataset.

    Attributes:
        languages: one for monolingual text, two for a pair.
        split: train, valid or test.
        sources: groups of files that are read one after the other; a group has one file for each
            language, aligned by line.
    """

    languages: Languages
    split: str
    sources: _Sources

    @property
    def name(self) -> str:
        """The name of the corpus, such as ``mono/de/train`` or ``parallel/de-en/train``."""
        kind = "mono" if len(self.languages) == 1 else "parallel"
        return f"{kind}/{'-'.join(self.languages)}/{self.split}"

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The binarised file of each language, relative to the data folder, without suffix."""
        if len(self.languages) == 1:
            return (self.name,)
        pair = "-".join(self.languages)
        return tuple(f"{self.name}.{pair}.{language}" for language in self.languages)

    @property
    def dictionaries(self) -> tuple[str, ...]:
        """The paths at which stock fairseq's tasks look for the dictionary of these files."""
        folder = self.name[: -len(self.split)]
        if len(self.languages) == 1:
            return "mono/dict.txt", f"{folder}dict.txt"
        return tuple(f"{folder}dict.{language}.txt" for language in self.languages)


def find_corpora(
    raw: Path,
    languages: Sequence[str] | None = None,
    pairs: Sequence[str] | None = None,
    mono_from_parallel: str = "missing",
) -> list[Corpus]:
    """Finds the corpora of a folder.

    ``{train,valid,dev,test}.<src>-<tgt>.<lang>`` are aligned lines and ``{train,valid,dev}.<lang>``
    are monolingual lines, where dev is another name of valid. All other files are ignored.

    Args:
        raw: the folder.
        languages: keep only text in these languages, and pairs of two of them.
        pairs: keep only these pairs, such as de-en (in either order), and all monolingual text.
        mono_from_parallel: whether the sides of the parallel training and validation text count
            as monolingual text too: ``always``, ``never``, or ``missing``, which means only for
            a language that has no monolingual text of that split.

    Returns:
        The corpora, sorted by name.

    Raises:
        UserError: there are no corpora, a pair has only one side, dev lies beside valid, or the
            folder lacks a language or pair that was asked for.
    """
    files = _find_files(raw)
    if not files:
        raise UserError(f"{raw} holds no corpora; files must be named like {_EXPECTED}")
    found_languages = {language for key, _ in files for language in key}
    found_pairs = {"-".join(key) for key, _ in files if len(key) == 2}
    _require(raw, "--languages", languages, found_languages)
    if pairs is not None:
        pairs = [_either_order(pair, found_pairs) for pair in pairs]
        _require(raw, "--pairs", pairs, found_pairs)

    chosen: dict[_Key, _Sources] = {
        key: (paths,)
        for key, paths in files.items()
        if (languages is None or set(key[0]) <= set(languages))
        and (pairs is None or len(key[0]) == 1 or "-".join(key[0]) in pairs)
    }
    corpora = {**chosen, **_monolingual_sides(chosen, mono_from_parallel)}
    if not corpora:
        raise UserError(f"--languages and --pairs leave no corpus of {raw}")
    return sorted(
        (Corpus(key, split, sources) for (key, split), sources in corpora.items()),
        key=lambda corpus: corpus.name,
    )


def _find_files(raw: Path) -> dict[_Key, tuple[Path, ...]]:
    """Returns one file for monolingual text and two for a pair, in the order of its languages."""
    if not raw.is_dir():
        raise UserError(f"{raw} is not a folder; give the folder that holds {_EXPECTED}")
    sides: dict[_Key, dict[str, Path]] = {}
    for path in sorted(raw.iterdir()):
        key, language = _parse(path.name)
        if key is None or not path.is_file():
            continue
        other = sides.setdefault(key, {}).setdefault(language, path)
        if other != path:
            raise UserError(
                f"{raw} holds both {other.name} and {path.name}, two names of the validation "
                "text; remove or rename one"
            )
    for (languages, _), paths in sides.items():
        for language in languages:
            if language not in paths:
                (path,) = paths.values()
                missing = path.name[: path.name.rindex(".") + 1] + language
                raise UserError(f"{path} has no partner {missing}; add it or remove {path.name}")
    return {key: tuple(paths[language] for language in key[0]) for key, paths in sides.items()}


def _parse(name: str) -> tuple[_Key | None, str]:
    match = _PARALLEL.fullmatch(name)
    if match:
        split, source, target, language = match.groups()
        if source != target and language in (source, target):
            return ((source, target), _SPLITS[split]), language
    match = _MONOLINGUAL.fullmatch(name)
    if match and match[2] not in _OTHER_ENDINGS:
        return ((match[2],), _SPLITS[match[1]]), match[2]
    return None, ""


def _require(raw: Path, flag: str, wanted: Sequence[str] | None, found: Container[str]) -> None:
    for name in wanted or ():
        if name not in found:
            available = ", ".join(sorted(found)) if found else "none"  # type: ignore[call-overload]
            raise UserError(f"{flag}: {raw} holds no text for {name}; it holds {available}")


def _either_order(pair: str, found: Container[str]) -> str:
    reversed_pair = "-".join(reversed(pair.split("-")))
    return reversed_pair if pair not in found and reversed_pair in found else pair


def _monolingual_sides(
    chosen: dict[_Key, _Sources], mono_from_parallel: str
) -> dict[_Key, _Sources]:
    """Returns monolingual text out of the parallel text; it replaces entries of the same key."""
    if mono_from_parallel == "never":
        return {}
    sides: dict[_Key, _Sources] = {}
    for (languages, split), sources in sorted(chosen.items()):
        if len(languages) == 1 or split == "test":
            continue
        for position, language in enumerate(languages):
            key = ((language,), split)
            if key in chosen and mono_from_parallel == "missing":
                continue
            before = sides.get(key, chosen.get(key, ()))
            sides[key] = before + tuple((files[position],) for files in sources)
    return sides


def check_alignment(corpora: Sequence[Corpus], texts: Mapping[Path, TextFile]) -> None:
    """Checks that aligned files have the same number of lines.

    Raises:
        UserError: the numbers of lines differ; the message names both files, their numbers of
            lines, and the first line without a partner.
    """
    for corpus in corpora:
        for files in corpus.sources:
            ordered = sorted((texts[path] for path in files), key=lambda text: text.lines)
            shorter, longer = ordered[0], ordered[-1]
            if shorter.lines != longer.lines:
                raise UserError(
                    f"{shorter.path} has {shorter.lines} lines but {longer.path} has "
                    f"{longer.lines}: line {shorter.lines + 1} of the longer has no partner; "
                    "line i of one must translate line i of the other"
                )
