"""Lays XTREME's tasks out as the folder "download" of google-research/xtreme.

Unlike XTREME's own script this keeps the labels and answers of the test files, so that
``fairseq-amber evaluate`` can score them.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Callable, Collection, Iterable, Iterator, Sequence

from archives import unpack
from treebanks import tagged_sentences

from fairseq_amber.errors import UserError
from fairseq_amber.files.writing import atomic_path, atomic_writer

# The languages of XTREME's udpos; its treebanks are those of UD 2.5.
UD_LANGUAGES = (
    "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi "
    "yo zh"
).split()
TYDIQA_LANGUAGES = {
    "arabic": "ar",
    "bengali": "bn",
    "english": "en",
    "finnish": "fi",
    "indonesian": "id",
    "korean": "ko",
    "russian": "ru",
    "swahili": "sw",
    "telugu": "te",
}
Wanted = Callable[[str], bool]


def lay_out_task(
    folder: Path, task: str, languages: Sequence[str], files: Sequence[Path]
) -> list[Path]:
    """Writes the files of a task below ``folder``, as ``prepare-task --xtreme`` reads them.

    Args:
        folder: the folder "download".
        task: pos, ner, xnli, pawsx, squad, xquad, mlqa, tydiqa or bucc.
        languages: English and the languages to test on; none for all that the files have.
        files: the files of the task from their homes.

    Returns:
        The files that were written.

    Raises:
        UserError: a file is damaged or has another form, or a language is in none.
    """

    def wanted(language: str) -> bool:
        return not languages or language in languages

    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked.") as unpacked:
        written = TASKS[task](folder, Path(unpacked), wanted, files)
    if not written:
        raise UserError(f"{task}: {', '.join(str(file) for file in files)} has no such language")
    print(f"{task}: {len(written)} files in {folder / written[0].relative_to(folder).parts[0]}")
    return written


def _pos(folder: Path, unpacked: Path, wanted: Wanted, files: Sequence[Path]) -> list[Path]:
    name = re.compile(r"(?:.*/)?([a-z]+)_[^/]*-ud-(train|dev|test)\.conllu")

    def is_wanted(member: str) -> bool:
        match = name.fullmatch(member)
        return match is not None and match[1] in UD_LANGUAGES and wanted(match[1])

    texts: dict[tuple, list[Path]] = {}
    for path in sorted(unpack(files[0], unpacked, is_wanted), key=lambda path: path.name):
        match = name.fullmatch(path.name)
        assert match is not None
        texts.setdefault((match[2], match[1]), []).append(path)
    written = []
    for (split, language), paths in sorted(texts.items()):
        sentences = [s for path in paths for s in tagged_sentences(path, language)]
        if sentences:
            written.append(folder / "udpos" / f"{split}-{language}.tsv")
            with atomic_writer(written[-1]) as file:
                for sentence in sentences:
                    file.writelines(f"{word}\t{tag}\n" for word, tag in sentence)
                    file.write("\n")
    return written


def _ner(folder: Path, unpacked: Path, wanted: Wanted, files: Sequence[Path]) -> list[Path]:
    """AmazonPhotos.zip holds <language>.tar.gz, which holds train, dev and test."""
    name = re.compile(r"(?:.*/)?([a-z]+)\.tar\.gz")

    def is_wanted(member: str) -> bool:
        match = name.fullmatch(member)
        return match is not None and wanted(match[1])

    written = []
    for archive in unpack(files[0], unpacked, is_wanted):
        language = archive.name.split(".")[0]
        inner = unpacked / f"{language}.unpacked"
        inner.mkdir()
        for path in unpack(archive, inner, lambda member: Path(member).name in _NER_SPLITS):
            written.append(folder / "panx" / f"{path.name}-{language}.tsv")
            with open(path, encoding="utf-8") as source, atomic_writer(written[-1]) as target:
                for line in source:
                    word, tab, label = line.strip("\n").partition("\t")
                    target.write(
                        f"{word.partition(':')[2].strip()}\t{label.strip()}\n" if tab else "\n"
                    )
    return written


_NER_SPLITS = ("train", "dev", "test")


def _xnli(folder: Path, unpacked: Path, wanted: Wanted, files: Sequence[Path]) -> list[Path]:
    train, test = files
    (source,) = unpack(train, unpacked, lambda m: m.endswith("multinli/multinli.train.en.tsv"))
    rows = ((r[0], r[1], r[2]) for r in _rows(source, 3))
    written = [_write_pairs(folder / "xnli" / "train-en.tsv", rows)]
    ends = ("/xnli.dev.tsv", "/xnli.test.tsv")
    for path in unpack(test, unpacked, lambda member: ("/" + member).endswith(ends)):
        split = path.name.split(".")[1]
        by_language: dict[str, list[tuple]] = {}
        for row in _rows(path, 8):
            if wanted(row[0].strip()):
                by_language.setdefault(row[0].strip(), []).append((row[6], row[7], row[1]))
        for language, pairs in by_language.items():
            written.append(_write_pairs(folder / "xnli" / f"{split}-{language}.tsv", pairs))
    return written


def _pawsx(folder: Path, unpacked: Path, wanted: Wanted, files: Sequence[Path]) -> list[Path]:
    name = re.compile(r"(?:.*/)?([a-z]+)/(dev|test)_2k\.tsv|(?:.*/)?(en)/(train)\.tsv")

    def is_wanted(member: str) -> bool:
        match = name.fullmatch(member)
        return match is not None and (match[3] is not None or wanted(match[1]))

    written = []
    for path in unpack(files[0], unpacked, is_wanted):
        target = folder / "pawsx" / f"{path.stem.split('_')[0]}-{path.parent.name}.tsv"
        written.append(_write_pairs(target, ((r[1], r[2], r[3]) for r in _rows(path, 4))))
    return written


def _rows(path: Path, columns: int) -> Iterator[list[str]]:
    """Yields the rows of a file with tabs, without its head."""
    with open(path, encoding="utf-8", newline="\n") as file:
        next(file, None)
        for number, line in enumerate(file, 2):
            row = line.strip().split("\t")
            if len(row) < columns:
                raise UserError(f"{path.name}:{number}: expected {columns} columns: {line[:60]!r}")
            yield row


def _write_pairs(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    with atomic_writer(path) as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        for first, second, label in rows:
            label = label.strip()
            label = "contradiction" if label == "contradictory" else label
            writer.writerow((first.strip(), second.strip(), label))
    return path


def _copied(name: str) -> Callable:
    """Returns what copies a task's files into the folder ``name``."""

    def copy(folder: Path, unpacked: Path, wanted: Wanted, files: Sequence[Path]) -> list[Path]:
        return [copy_file(file, folder / name / file.name) for file in files]

    return copy


def copy_file(source: Path, target: Path) -> Path:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return target


def _mlqa(folder: Path, unpacked: Path, wanted: Wanted, files: Sequence[Path]) -> list[Path]:
    name = re.compile(r"(?:.*/)?MLQA_V1/(dev|test)/\1-context-([a-z]+)-question-\2\.json")

    def is_wanted(member: str) -> bool:
        match = name.fullmatch(member)
        return match is not None and wanted(match[2])

    return [
        copy_file(path, folder / "mlqa" / "MLQA_V1" / path.parent.name / path.name)
        for path in unpack(files[0], unpacked, is_wanted)
    ]


def _tydiqa(folder: Path, unpacked: Path, wanted: Wanted, files: Sequence[Path]) -> list[Path]:
    train, dev = files
    place = folder / "tydiqa" / "tydiqa-goldp-v1.1-{0}" / "tydiqa.goldp.{1}.{0}.json"
    content = json.loads(train.read_text(encoding="utf-8"))
    by_language: dict[str, list] = {}
    for document in content["data"]:
        for paragraph in document["paragraphs"]:
            for question in paragraph["qas"]:
                language = TYDIQA_LANGUAGES[question["id"].split("-")[0]]
                part = {**question, "id": question["id"].split("-")[-1]}
                paragraphs = [{"context": paragraph["context"], "qas": [part]}]
                by_language.setdefault(language, []).append({"paragraphs": paragraphs})
    written = []
    for language, data in by_language.items():
        if wanted(language):
            written.append(Path(str(place).format("train", language)))
            with atomic_writer(written[-1]) as file:
                json.dump({"data": data, "version": content["version"]}, file)
    name = re.compile(r"(?:.*/)?tydiqa-goldp-dev-([a-z]+)\.json")

    def is_wanted(member: str) -> bool:
        match = name.fullmatch(member)
        return match is not None and wanted(TYDIQA_LANGUAGES.get(match[1], ""))

    for path in unpack(dev, unpacked, is_wanted):
        match = name.fullmatch(path.name)
        assert match is not None
        target = Path(str(place).format("dev", TYDIQA_LANGUAGES[match[1]]))
        written.append(copy_file(path, target))
    return written


def _bucc(folder: Path, unpacked: Path, wanted: Wanted, files: Sequence[Path]) -> list[Path]:
    """XTREME tests on BUCC's training set and tunes on its sample; it calls them test and dev."""
    splits = {"sample": "dev", "training": "test"}
    name = re.compile(r"(?:.*/)?([a-z]+-en)\.(sample|training)\.([a-z]+|gold)")
    written = []
    for number, file in enumerate(files):
        inner = unpacked / str(number)
        inner.mkdir()
        for path in unpack(file, inner, lambda member: bool(name.fullmatch(member))):
            pair, split, ending = path.name.split(".")
            target = folder / "bucc2018" / f"{pair}.{splits[split]}.{ending}"
            written.append(copy_file(path, target))
    return written


TASKS: dict[str, Callable[[Path, Path, Wanted, Collection], list[Path]]] = {
    "pos": _pos,
    "ner": _ner,
    "xnli": _xnli,
    "pawsx": _pawsx,
    "squad": _copied("squad"),
    "xquad": _copied("xquad"),
    "mlqa": _mlqa,
    "tydiqa": _tydiqa,
    "bucc": _bucc,
}
