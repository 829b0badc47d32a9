"""Finds the corpora in a folder of raw text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Container, Mapping, Sequence

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.raw_names import Key, Languages, Sources, find_texts, other_spellings
from fairseq_amber.files.text import TextFile


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
    sources: Sources

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
    are monolingual lines, where dev is another name of valid; ``train1.<lang>`` and so on are more
    lines of ``train.<lang>``. All may be compressed. It warns of other files that look like text.

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
        UserError: there are no corpora, a pair has only one side, two files are the same text by
            their names, or the folder lacks a language or pair that was asked for.
    """
    texts = find_texts(raw, languages or ())
    found_languages = {language for key, _ in texts for language in key}
    for names in other_spellings(found_languages):
        warn(f"{raw}: {names} are different languages here; if they are one, name its files alike")
    found_pairs = {"-".join(key): key for key, _ in texts if len(key) == 2}
    _require(raw, "--languages", languages, found_languages)
    if pairs is not None:
        reversed_pairs = {"-".join(reversed(key)): pair for pair, key in found_pairs.items()}
        pairs = [pair if pair in found_pairs else reversed_pairs.get(pair, pair) for pair in pairs]
        _require(raw, "--pairs", pairs, found_pairs)

    chosen: dict[Key, Sources] = {
        key: sources
        for key, sources in texts.items()
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


def _require(raw: Path, flag: str, wanted: Sequence[str] | None, found: Container[str]) -> None:
    for name in wanted or ():
        if name not in found:
            available = ", ".join(sorted(found)) if found else "none"  # type: ignore[call-overload]
            raise UserError(f"{flag}: {raw} holds no text for {name}; it holds {available}")


def _monolingual_sides(chosen: dict[Key, Sources], mono_from_parallel: str) -> dict[Key, Sources]:
    """Returns monolingual text out of the parallel text; it replaces entries of the same key."""
    if mono_from_parallel == "never":
        return {}
    sides: dict[Key, Sources] = {}
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
