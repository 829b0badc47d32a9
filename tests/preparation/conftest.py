"""A raw text folder in three scripts, a few hundred lines."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

WORDS = {
    "de": "der hund schläft nicht im garten weil es heute regnet und wir lesen bücher".split(),
    "en": "the dog does not sleep in garden because it rains today and we read books".split(),
    "ru": "собака не спит в саду потому что сегодня идёт дождь и мы читаем книги".split(),
    "zh": list("狗不在花园里睡觉因为今天下雨我们看书学生老师学校"),
}


def sentences(language: str, count: int, seed: int = 0) -> list[str]:
    generator = random.Random(f"{language}{seed}")
    space = "" if language == "zh" else " "
    return [
        space.join(generator.choices(WORDS[language], k=generator.randint(5, 9))) + "."
        for _ in range(count)
    ]


def write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """de-en and ru-en in three splits, monolingual zh and en; lines that each filter drops."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for seed, (split, count) in enumerate({"train": 150, "dev": 20, "test": 10}.items()):
        for source in ("de", "ru"):
            for language in (source, "en"):
                lines = sentences(language, count, seed)
                if split != "dev":  # one for each filter: empty, ratio, duplicate, too long
                    long = 60 if language == source else 1
                    lines[3:5] = [lines[3] if language == source else " ", "a " * long]
                    lines[5:7] = [lines[0], "a " * 70]
                write(folder / f"{split}.{source}-en.{language}", lines)
    write(folder / "train.zh", sentences("zh", 120))
    write(folder / "valid.zh", sentences("zh", 15, 1))
    write(folder / "train.en", sentences("en", 90, 2))
    write(folder / "test.de-en.gold", ["0-0 1-1"] * 10)
    write(folder / "README", ["nothing to see"])
    return folder
