"""Tells the user what a preparation did: a table of the corpora, the speed, and warnings."""

from __future__ import annotations

from pathlib import Path

from fairseq_amber.files.tables import plain_table
from fairseq_amber.preparation.corpus.binarize import Counts
from fairseq_amber.preparation.corpus.encode import REASONS
from fairseq_amber.preparation.corpus.pipeline import Preparation

_HIGH_UNKNOWN = 0.01  # share of <unk> that calls for a warning


def describe(result: Preparation, data_bin: Path) -> str:
    """Returns the table of all corpora, the speed, and the size of the dictionary."""
    lines = [counts_table(result.corpora), ""]
    if result.sentences:
        speed = result.sentences / result.seconds
        lines.append(
            f"{result.sentences:,} sentences encoded in {result.seconds:.1f} s: "
            f"{speed:,.0f} sentences/s"
        )
    else:
        lines.append("nothing to do: all of this was prepared before")
    size = f"{result.vocabulary.size:,}"
    lines.append(f"{data_bin}: {size} entries in the dictionary, without <mask>")
    return "\n".join(lines)


def counts_table(corpora: dict[str, Counts]) -> str:
    """Returns a table with a row for each corpus.

    Its columns are the lines read, kept, and dropped for each reason, and the subwords and the
    share of ``<unk>`` on each side.
    """
    header = ["corpus", "lines", "kept", *REASONS, "tokens", "unknown"]
    rows = []
    for name, counts in corpora.items():
        dropped = [f"{counts.dropped.get(reason, 0):,}" for reason in REASONS]
        tokens = " / ".join(f"{count:,}" for count in counts.tokens)
        unknown = " / ".join(f"{rate:.2%}" for rate in unknown_rates(counts))
        rows.append([name, f"{counts.lines:,}", f"{counts.kept:,}", *dropped, tokens, unknown])
    return plain_table(header, rows)


def unknown_rates(counts: Counts) -> list[float]:
    """Returns the share of ``<unk>`` among the subwords of each side."""
    return [unknown / max(total, 1) for unknown, total in zip(counts.unknown, counts.tokens)]


def warnings(result: Preparation) -> list[str]:
    """Returns the warnings that the user should read before training.

    There is a message for each corpus whose text the vocabulary hardly covers, one for languages
    that have no validation text, and one for pieces that the dictionary lacks.
    """
    corpora = result.corpora
    found = [
        f"{name}: {max(unknown_rates(counts)):.1%} of the subwords are <unk>; raise "
        "--character-coverage, or give a --tokenizer that knows this script"
        for name, counts in corpora.items()
        if max(unknown_rates(counts)) > _HIGH_UNKNOWN
    ]
    trained = {name[: -len("train")] for name in corpora if name.endswith("/train")}
    unvalidated = [name[:-1] for name in sorted(trained) if f"{name}valid" not in corpora]
    if unvalidated:
        found.append(
            f"no validation text for {', '.join(unvalidated)}; add it, or train with "
            "--disable-validation"
        )
    if result.vocabulary.unlisted:
        found.append(
            f"{result.vocabulary.unlisted:,} pieces of the tokenizer are not in the dictionary: "
            "they become <unk>"
        )
    return found
