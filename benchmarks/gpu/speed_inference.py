"""Speed of ``embed`` and ``align`` in sentences and pairs per second, as the commands run."""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple

import align as align_benchmark
import embed as embed_benchmark
import numpy as np
from inference_work import InferenceWork, make
from speed_run import TOY_SHAPE, Run
from stopwatch import Limit, in_turns, seconds_of

from fairseq_amber.inference.encoder import Encoder
from fairseq_amber.inference.word_alignment.word_aligner import Aligner, encode_units
from fairseq_amber.models.shapes import SHAPES

EMBED, ALIGN = "Embedding text", "Aligning words"
PLAIN_BATCH = 32
BATCH_TOKENS = 8192  # the commands' default


class Sizes(NamedTuple):
    """The sizes of the measurement.

    Attributes:
        shape: the shape of the encoder.
        lines: number of lines to embed.
        pairs: number of pairs to align.
        plain_lines: number of lines for the plain loop; 0 leaves it out.
        plain_pairs: number of pairs for the plain loop; 0 leaves it out.
        sentences: number of sentences of the demo corpus, of which lines are joined.
    """

    shape: dict[str, Any]
    lines: int
    pairs: int
    plain_lines: int
    plain_pairs: int
    sentences: int


BASE = Sizes(SHAPES["amber_base"], 12_000, 1500, 2000, 50, 4000)
TOY = Sizes(TOY_SHAPE, 12, 4, 6, 2, 60)


def measure(run: Run, seconds: float) -> None:
    """Measures every dtype, within about this time; the time of preparation counts too."""
    limit = Limit(seconds)
    sizes = TOY if run.toy else BASE
    embedded: list[dict[str, Any]] = []
    aligned: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        work = make(Path(folder), sizes.shape, sizes.lines, sizes.sentences)
        dtypes = ("bfloat16", "float32", "float16")
        for number, dtype in enumerate(dtypes):
            share = limit.left() / (len(dtypes) - number)
            encoder = run.attempt(f"embed and align, {dtype}", _encoder, run, work, dtype)
            if encoder is None:
                continue
            if number:  # the plain loops are slow on any GPU; one dtype is enough
                sizes = sizes._replace(plain_lines=0, plain_pairs=0)
            _embed(run, work, encoder, sizes, dtype, 0.4 * share, embedded)
            _align(run, work, encoder, sizes, dtype, 0.5 * share, aligned)
            del encoder
            run.clear()


def _encoder(run: Run, work: InferenceWork, dtype: str) -> Encoder:
    """Loads the checkpoint in a dtype."""
    return Encoder.load(work.checkpoint, data=work.data, device=str(run.device), dtype=dtype)


def _embed(
    run: Run,
    work: InferenceWork,
    encoder: Encoder,
    sizes: Sizes,
    dtype: str,
    seconds: float,
    rows: list[dict[str, Any]],
) -> None:
    """Adds a row to the table of ``embed``."""
    limit = Limit(seconds)
    output = work.data / "vectors.npy"
    data = "".join(line + "\n" for line in work.sources).encode("utf-8")
    plain = work.sources[: sizes.plain_lines]
    routes: dict[str, Callable[[], Any]] = {
        "embed": lambda: embed_benchmark.ours(encoder, data, output)
    }
    if plain:
        routes["plain loop"] = lambda: embed_benchmark.plain_loop(
            encoder, encoder._model, plain, PLAIN_BATCH, output
        )
    counts = {"embed": len(work.sources), "plain loop": len(plain)}
    rows.append({"dtype": dtype, **_rates(run, f"embed, {dtype}", routes, counts, limit)})
    lengths = [len(ids) for ids in encoder.tokenizer.encode(work.sources[:2000])]
    run.result.add(
        EMBED,
        rows,
        f"Sentences a second from text to file: {len(work.sources):,} lines of "
        f"{np.mean(lengths):.0f} subwords on average, {encoder.num_layers} layers of "
        f"{encoder.dim}. Plain loop: {PLAIN_BATCH} lines at a time in the order of the file.",
    )


def _align(
    run: Run,
    work: InferenceWork,
    encoder: Encoder,
    sizes: Sizes,
    dtype: str,
    seconds: float,
    rows: list[dict[str, Any]],
) -> None:
    """Adds a row for each method to the table of ``align``."""
    sides = (
        encode_units(encoder.tokenizer, side[: sizes.pairs], "words")
        for side in (work.sources, work.targets)
    )
    fitting = encoder.max_tokens // 2 - 2
    pairs = [pair for pair in zip(*sides) if max(len(side.ids) for side in pair) <= fitting]
    plain = pairs[: sizes.plain_pairs]
    methods = align_benchmark.METHODS
    for method in methods:
        aligner = Aligner(encoder, method=method, layer=-1)
        routes: dict[str, Callable[[], Any]] = {
            "align": partial(align_benchmark.ours, aligner, BATCH_TOKENS, pairs)
        }
        if plain:
            routes["plain loop"] = partial(align_benchmark.plain_loop, encoder, method, plain)
        counts = {"align": len(pairs), "plain loop": len(plain)}
        limit = Limit(seconds / len(methods))
        rates = _rates(run, f"align, {method}, {dtype}", routes, counts, limit)
        rows.append({"method": method, "dtype": dtype, **rates})
        run.result.add(
            ALIGN,
            rows,
            f"Pairs a second from subwords to word links: {len(pairs):,} pairs. Plain loop: one "
            "pair at a time, with links found in numpy.",
        )


def _rates(
    run: Run,
    what: str,
    routes: dict[str, Callable[[], Any]],
    counts: dict[str, int],
    limit: Limit,
) -> dict[str, Any]:
    """The rate of each route per second, after one call of each that warms up."""

    names = {f"{what}, {name}": name for name in routes}
    ready = {
        label: routes[name]
        for label, name in names.items()
        if run.attempt(label, seconds_of, routes[name], run.device) is not None
    }
    times = in_turns(ready, limit.left(), run.device, run.attempt)
    rates: dict[str, Any] = {}
    for label, name in names.items():
        taken = times.get(label)
        rates[name] = counts[name] / statistics.median(taken) if taken else run.why_missing(label)
    if len(names) == 2 and all(label in times for label in names):
        ours, plain = (rates[name] for name in routes)
        rates["ours / plain loop"] = ours / plain
    return rates
