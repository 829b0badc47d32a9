"""Checks a folder of binarised text, of ``fairseq-amber prepare`` or of stock fairseq."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, Iterator

from fairseq_amber.data import kept_words
from fairseq_amber.data.kept_words import KeptWordFile
from fairseq_amber.data.token_check import check_tokens
from fairseq_amber.data.token_file import SUFFIXES, TokenFile
from fairseq_amber.data.words import check_kept
from fairseq_amber.doctor.inspection import Inspection
from fairseq_amber.doctor.vocabulary_files import inspect_vocabulary
from fairseq_amber.errors import UserError
from fairseq_amber.files.digest import file_digest
from fairseq_amber.preparation.corpus.manifest import MANIFEST_NAME, PARTIAL_NAME, read_manifest
from fairseq_amber.progress import Progress
from fairseq_amber.tokenizers.fairseq_order import EOS


def inspect_corpus(path: Path) -> Inspection:
    """Checks every file of a folder from its first byte to its last."""
    inspection = Inspection(path, "a folder of binarised text")
    recorded = _recorded_files(inspection)
    symbols = inspect_vocabulary(inspection)
    prefixes = _prefixes(path)
    if not prefixes:
        inspection.damages.append(
            f"{path} holds no binarised text: prepare it again with fairseq-amber prepare"
        )
    files = len(prefixes) + len(recorded)
    sentences = {}
    with Progress(total=files, unit="files", what=f"checking {path}") as progress:
        for prefix in prefixes:
            file = inspection.check("texts (.bin and .idx)", _check_text, prefix, symbols)
            if file is not None:
                sentences[prefix] = len(file)
                inspection.checked["sentences"] += len(file)
                if Path(f"{prefix}{kept_words.SUFFIX}").exists():
                    inspection.check("files of words", _check_words, file)
            progress.update()
        for first, second in _sides(prefixes):
            if first in sentences and second in sentences:
                inspection.check("pairs", _check_sides, first, second, sentences)
        for name, content in recorded.items():
            inspection.check("files of prepare.json", _check_recorded, path / name, content)
            progress.update()
    return inspection


def _recorded_files(inspection: Inspection) -> dict[str, int | str]:
    """Returns the size or the digest of each file that prepare.json records."""
    if not (inspection.path / MANIFEST_NAME).exists():
        return {}
    manifest = inspection.check("manifests", read_manifest, inspection.path)
    if manifest is None:
        return {}
    recorded = dict(manifest.digests)
    for corpus in manifest.corpora.values():
        recorded.update({**corpus["outputs"], **corpus.get("output_digests", {})})
    return recorded


def _prefixes(path: Path) -> list[Path]:
    """Returns the paths of all texts, without suffix, also of those that lack a file."""
    suffixes = (*SUFFIXES, kept_words.SUFFIX)
    found = (file for suffix in suffixes for file in path.rglob(f"*{suffix}"))
    partial = path / PARTIAL_NAME  # of a preparation that goes on, or was killed
    return sorted({file.with_suffix("") for file in found if partial not in file.parents})


def _check_text(prefix: Path, symbols: int | None) -> TokenFile:
    """Checks the index, and where the dictionary is known every id."""
    file = TokenFile(prefix)
    if symbols is not None:
        check_tokens(file, symbols, EOS)
    return file


def _check_words(file: TokenFile) -> None:
    check_kept(file, KeptWordFile(file.prefix))


def _sides(prefixes: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Yields the two sides of each pair, named <split>.<src>-<tgt>.<language>."""
    for prefix in prefixes:
        stem, _, source = prefix.name.rpartition(".")
        pair = stem.rpartition(".")[2]
        if pair.startswith(f"{source}-"):
            yield prefix, prefix.with_name(f"{stem}.{pair[len(source) + 1 :]}")


def _check_sides(first: Path, second: Path, sentences: dict[Path, int]) -> None:
    if sentences[first] != sentences[second]:
        raise UserError(
            f"{first} has {sentences[first]:,} sentences but {second} has {sentences[second]:,}: "
            "prepare the pair again"
        )


def _check_recorded(path: Path, recorded: int | str) -> None:
    """Checks a file against its size in bytes, or against its digest."""
    found: int | str | None = None
    if path.is_file():
        found = file_digest(path) if isinstance(recorded, str) else path.stat().st_size
    if found != recorded:
        raise UserError(
            f"{path} is not what {MANIFEST_NAME} records: remove it and run the same fairseq-amber "
            "prepare again"
        )
