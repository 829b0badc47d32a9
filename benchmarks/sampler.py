"""Time and memory to plan an epoch over many pairs, against fairseq's MultiCorpusSampledDataset.

Both plan from the same sentence lengths, each in a fresh process.

    python benchmarks/sampler.py                        # 10 million pairs
    python benchmarks/sampler.py --pairs 100000         # seconds
    python benchmarks/sampler.py --output table.md

The clock covers everything that must happen before the first batch can be read: from the sentence
lengths to an epoch iterator. Memory is what this adds to the peak of the process, without the
lengths themselves; "kept" is the memory that it still holds at the end.

fairseq's route is FairseqTask.get_batch_iterator, as in the task cross_lingual_lm, over one
LanguagePairDataset for each language pair. It asks every corpus for the length of every example
in Python. It does less than ours: it does not resample corpora, does not count predicted tokens,
and chooses the corpus of a batch only when the batch is collated.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
from published import publish

LANGUAGES = ("ar", "de", "fi", "fr", "ja", "ru", "sw", "tr")
LONGEST = 512
RANKS = 8


def write_lengths(folder: Path, pairs: int) -> None:
    """Writes the sentence lengths of the corpora, each of which is half as large as the one before.

    The lengths are distributed as those of real text in subwords: log-normal with a median of 24,
    and similar on both sides of a pair.
    """
    rng = np.random.default_rng(1)
    shares = 0.5 ** np.arange(len(LANGUAGES))
    for language, share in zip(LANGUAGES, shares / shares.sum()):
        count = max(int(pairs * share), 1)
        base = rng.lognormal(np.log(24), 0.6, count)
        for side in (language, "en"):
            sizes = base * rng.lognormal(0, 0.15, count)
            np.save(folder / f"{language}-en.{side}.npy", sizes.clip(2, 250).astype(np.int32))


def read_lengths(folder: Path) -> dict[str, list[np.ndarray]]:
    """The lengths of both sides of every language pair, with ``</s>``."""
    return {
        f"{language}-en": [np.load(folder / f"{language}-en.{s}.npy") for s in (language, "en")]
        for language in LANGUAGES
    }


class Side:
    """Sentences that have only lengths."""

    def __init__(self, sizes: np.ndarray):
        self.sizes = sizes

    def __len__(self) -> int:
        return len(self.sizes)


def fairseq_amber_route(lengths, max_tokens: int):
    """``plan_epoch`` over our dataset, with temperature sampling."""
    from fairseq_amber.data.alignment.collater import Collater
    from fairseq_amber.data.alignment.corpora import ParallelCorpus
    from fairseq_amber.data.alignment.dataset import AlignmentDataset
    from fairseq_amber.data.alignment.masking import Masking, MaskingRates
    from fairseq_amber.data.alignment.needs import Needs
    from fairseq_amber.data.batch_limits import BatchLimits
    from fairseq_amber.data.layout import Specials
    from fairseq_amber.data.plan_iterator import PlanIterator
    from fairseq_amber.data.sampling import plan_epoch
    from fairseq_amber.data.update_size import UpdateSize

    corpora = [ParallelCorpus(name, *map(Side, sizes)) for name, sizes in lengths.items()]
    masking = Masking(MaskingRates(), mask=99, ordinary=(4, 99))
    dataset = AlignmentDataset(corpora, Collater(Specials(0, 2, 1, 99), Needs(), masking), LONGEST)

    def run():
        plan = plan_epoch(
            dataset.sources(),
            BatchLimits(max_tokens, None, 8),
            UpdateSize(micro_batches=4 * RANKS),
            alpha=0.7,
            parallel_share=0.5,
            world=RANKS,
            seed=(1, 1),
        )
        iterator = PlanIterator(
            plan, dataset=dataset, collate_fn=dataset.collater, num_shards=RANKS, shard_id=0
        )
        iterator.next_epoch_itr()
        return iterator

    return run


def fairseq_route(lengths, max_tokens: int):
    """``FairseqTask.get_batch_iterator`` over a ``MultiCorpusSampledDataset``."""
    from fairseq.data import Dictionary, LanguagePairDataset, MultiCorpusSampledDataset
    from fairseq.tasks import FairseqTask

    dictionary = Dictionary()
    corpora = OrderedDict(
        (name, LanguagePairDataset(Side(x), x, dictionary, Side(y), y, dictionary))
        for name, (x, y) in lengths.items()
    )
    dataset = MultiCorpusSampledDataset(corpora)
    task = FairseqTask(argparse.Namespace())

    def run():
        iterator = task.get_batch_iterator(
            dataset,
            max_tokens=max_tokens,
            max_positions=(LONGEST, LONGEST),
            ignore_invalid_inputs=True,
            required_batch_size_multiple=8,
            num_shards=RANKS,
            shard_id=0,
        )
        iterator.next_epoch_itr()
        return iterator

    return run


ROUTES = {
    "fairseq_amber plan_epoch": fairseq_amber_route,
    "fairseq MultiCorpusSampledDataset": fairseq_route,
}


def peak_bytes() -> int:
    """Peak resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_bytes() -> int | None:
    """Resident memory of this process now; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(route: str, folder: Path, max_tokens: int) -> dict:
    """Measures one route in this process."""
    lengths = read_lengths(folder)
    run = ROUTES[route](lengths, max_tokens)
    # A small run first, so that imports and caches are not counted.
    ROUTES[route]({name: [s[:8] for s in sizes] for name, sizes in lengths.items()}, max_tokens)()
    gc.collect()
    peak, resident = peak_bytes(), resident_bytes()
    if resident is not None and peak - resident > 2**25:
        print(f"{route}: loading left a peak of {peak - resident:,} bytes", file=sys.stderr)
    start = time.perf_counter()
    iterator = run()
    seconds = time.perf_counter() - start
    gc.collect()
    after = resident_bytes()
    return {
        "seconds": seconds,
        "peak": peak_bytes() - (resident or peak),
        "kept": None if after is None or resident is None else after - resident,
        "batches": len(iterator.frozen_batches),
        "pairs": sum(len(sizes[0]) for sizes in lengths.values()),
    }


def table(results: dict[str, dict], asked: int, max_tokens: int) -> str:
    """The results as a Markdown table."""
    import torch

    pairs = next(iter(results.values()))["pairs"]
    lines = [
        f"{pairs:,} pairs in {len(LANGUAGES)} corpora, --max-tokens {max_tokens}, {RANKS} ranks. "
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}. Made by `python "
        f"benchmarks/sampler.py --pairs {asked} --max-tokens {max_tokens}`.",
        "",
        "| route | seconds | peak bytes a pair | kept bytes a pair | batches |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, result in results.items():
        kept = "" if result["kept"] is None else f"{result['kept'] / pairs:.1f}"
        lines.append(
            f"| {name} | {result['seconds']:.2f} | {result['peak'] / pairs:.1f} | {kept} "
            f"| {result['batches']:,} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pairs", type=int, default=10_000_000, help="number of pairs; default: 10,000,000"
    )
    parser.add_argument(
        "--max-tokens", type=int, default=8192, help="tokens in a batch; default: 8192"
    )
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    parser.add_argument("--measure", nargs=2, metavar=("ROUTE", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure[0], Path(args.measure[1]), args.max_tokens)))
        return
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        write_lengths(Path(folder), args.pairs)
        for route in ROUTES:
            command = [sys.executable, __file__, "--max-tokens", str(args.max_tokens)]
            command += ["--measure", route, folder]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            results[route] = json.loads(done.stdout.splitlines()[-1])
    text = table(results, args.pairs, args.max_tokens)
    publish(text, args.output)


if __name__ == "__main__":
    main()
