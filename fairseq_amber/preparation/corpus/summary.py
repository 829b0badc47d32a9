"""What a preparation did, as a table for people."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from fairseq_amber.preparation.corpus.binarize import Counts
from fairseq_amber.preparation.corpus.encode import REASONS
from fairseq_amber.preparation.corpus.pipeline import Preparation

_HIGH_UNKNOWN = 0.01


def describe(result: Preparation, data_bin: Path) -> str:
    """The table of all corpora, what to beware of, and the speed."""
    vocabulary = result.vocabulary
    lines = [format_counts(result.corpora), "", *warnings(result.corpora)]
    if vocabulary.unlisted:
        lines.append(
            f"warning: {vocabulary.unlisted:,} pieces of the tokenizer are not in the dictionary: "
            "they become <unk>"
        )
    if result.sentences:
        speed = result.sentences / result.seconds
        lines.append(
            f"{result.sentences:,} sentences encoded in {result.seconds:.1f} s: "
            f"{speed:,.0f} sentences/s"
        )
    else:
        lines.append("nothing to do: all of this was prepared before")
    lines.append(f"{data_bin}: {vocabulary.size:,} entries in the dictionary, without <mask>")
    return "\n".join(lines)


def format_counts(corpora: dict[str, Counts]) -> str:
    """One row a corpus: lines, kept, dropped by reason, subwords and ``<unk>`` of each side."""
    rows = [["corpus", "lines", "kept", *REASONS, "tokens", "unknown"]]
    for name, counts in corpora.items():
        dropped = [f"{counts.dropped.get(reason, 0):,}" for reason in REASONS]
        tokens = " / ".join(f"{count:,}" for count in counts.tokens)
        unknown = " / ".join(f"{rate:.2%}" for rate in unknown_rates(counts))
        rows.append([name, f"{counts.lines:,}", f"{counts.kept:,}", *dropped, tokens, unknown])
    return format_rows(rows)


def unknown_rates(counts: Counts) -> list[float]:
    """The share of ``<unk>`` among the subwords of each side."""
    return [unknown / max(total, 1) for unknown, total in zip(counts.unknown, counts.tokens)]


def warnings(corpora: dict[str, Counts]) -> list[str]:
    """A line for each corpus whose text the vocabulary hardly covers, and for languages that
    fairseq could not validate on."""
    found = [
        f"warning: {name}: {max(unknown_rates(counts)):.1%} of the subwords are <unk>; raise "
        "--character-coverage, or give a --tokenizer that knows this script"
        for name, counts in corpora.items()
        if max(unknown_rates(counts)) > _HIGH_UNKNOWN
    ]
    trained = {name[: -len("train")] for name in corpora if name.endswith("/train")}
    unvalidated = [name[:-1] for name in sorted(trained) if f"{name}valid" not in corpora]
    if unvalidated:
        found.append(
            f"warning: no validation text for {', '.join(unvalidated)}; add it, or train with "
            "--disable-validation"
        )
    return found


def format_rows(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]
        ).rstrip()
        for row in rows
    )
