"""The speed stage of a GPU check, in toy sizes, and what its numbers are made of."""

import json
import math
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def modules():
    """The benchmarks' own imports, as when one of them is run."""
    before = list(sys.path)
    sys.path[:0] = [str(BENCHMARKS / "gpu"), str(BENCHMARKS)]
    yield
    sys.path[:] = before


@pytest.fixture(scope="module")
def toy(modules, tmp_path_factory):
    """The exit status, the JSON and the Markdown of a whole toy run."""
    import speed

    out = tmp_path_factory.mktemp("speed")
    status = speed.main(["--toy", "--output", str(out)])
    [written] = out.glob("speed-*.json")
    return status, json.loads(written.read_text()), written.with_suffix(".md").read_text()


def section(content, heading):
    [rows] = [rows for name, rows in content["sections"].items() if name.startswith(heading)]
    return rows


def numbers(rows, *columns):
    """All values of the columns: finite numbers above 0."""
    values = [row[column] for row in rows for column in columns]
    assert all(math.isfinite(value) and value > 0 for value in values)
    return values


def test_toy_run_ends_well(toy):
    status, content, markdown = toy
    assert status == 0 and content["complete"] and not content["failures"]
    assert markdown.startswith("# Speed") and "Failed" not in markdown


def test_toy_run_times_every_step_against_stock_fairseq(toy):
    from speed_training import RATIOS, STEPS

    rows = section(toy[1], "Steps")
    assert [row["step"] for row in rows] == list(STEPS)
    numbers(rows, "ms", "text tokens a second", "positions a second", "TFLOP/s")
    numbers(rows, "% of the matrix rate")
    ratios = {row["time of"] for row in section(toy[1], "Ratios") if row["at"].startswith("toy")}
    assert ratios == {f"{above} / {below}" for above, below, _ in RATIOS}
    numbers(section(toy[1], "Ratios"), "median")


def test_toy_run_says_where_the_time_goes(toy):
    from speed_training import STEPS
    from step_parts import PARTS

    rows = section(toy[1], "Where the time goes")
    assert [row["step"] for row in rows] == list(STEPS)
    for row in rows:
        shares = {part: row[f"{part}, %"] for part in PARTS}
        assert sum(shares.values()) == pytest.approx(100, abs=0.5)
        head = shares.pop("forward: head")
        assert (head == 0) == row["step"].startswith("OT")  # which has none
        assert min(shares.values()) > 0
    [waiting] = section(toy[1], "Waiting for data")
    numbers([waiting], "batch made by one process, ms", "step with batches at hand, ms")


def test_toy_run_times_transport_and_inference(toy):
    from transport_solvers import BATCH, LOOP, OURS, solvers

    _, content, _ = toy
    rows = section(content, "Optimal transport")
    assert {row["step"] for row in rows} == set(solvers("cpu")) >= {LOOP, BATCH, OURS}
    numbers(rows, "ms", "pairs a second")
    dtypes = ["bfloat16", "float32", "float16"]
    assert [row["dtype"] for row in section(content, "Embedding text")] == dtypes
    numbers(section(content, "Embedding text"), "embed")
    aligned = section(content, "Aligning words")
    assert len({(row["method"], row["dtype"]) for row in aligned}) == len(aligned) == 12
    numbers(aligned, "align")
    [mined] = section(content, "Mining pairs")
    numbers([mined], "sentences a second")
    assert mined["planted pairs found, F1 %"] > 80


def test_a_step_that_fails_stops_no_other(modules, tmp_path, monkeypatch):
    import speed_training
    import training_work as work
    from results import StageResult
    from speed_run import Run

    def too_large():
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setitem(work.KINDS, work.MLM, work.Kind("mlm", too_large))
    monkeypatch.setitem(work.KINDS, work.OT, work.Kind("ot", work._transport(ot_p=3)))
    device = torch.device("cpu")
    result = StageResult(tmp_path, "speed", "Speed", device)
    speed_training.measure(Run(result, device, True, None), 1.0, speed_training.TOY)
    assert result.end() == 1
    rows = {row["step"]: row for row in section(result.content, "Steps")}
    assert rows[work.MLM]["ms"] == rows[work.STOCK_MLM]["ms"] == "out of memory"
    assert rows[work.OT]["ms"] == "failed"
    numbers([rows[kind] for kind in (work.AMBER, work.TLM, work.STOCK_TLM, work.OT_PAIRS)], "ms")
    [failure] = result.content["failures"]
    assert failure.startswith(work.OT) and failure.endswith("--ot-p 3 is neither 1 nor 2")
    assert len(section(result.content, "Where the time goes")) == 4


def test_a_part_that_fails_stops_no_other(modules, tmp_path, monkeypatch):
    import speed

    ran = []

    def works(run, seconds):
        ran.append(seconds)

    monkeypatch.setitem(sys.modules, "ot", None)  # not installed
    monkeypatch.delitem(sys.modules, "speed_transport", raising=False)
    monkeypatch.delitem(sys.modules, "transport_solvers", raising=False)
    first, second = partial(speed.measure_by, "speed_transport"), works
    parts = [speed.Part("first", 1, first), speed.Part("second", 3, second)]
    monkeypatch.setattr(speed, "parts_of", lambda toy: parts)
    assert speed.main(["--toy", "--output", str(tmp_path), "--matrix-rate", "1"]) == 1
    [written] = tmp_path.glob("speed-*.json")
    content = json.loads(written.read_text())
    [failure] = content["failures"]
    assert failure.startswith("first: ModuleNotFoundError") and "import of ot" in failure
    assert ran and ran[0] <= 0.75


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_ends_in_one_line(modules, tmp_path, capsys):
    import speed

    with pytest.raises(SystemExit) as ended:
        speed.main(["--output", str(tmp_path)])
    error = capsys.readouterr().err
    assert ended.value.code and error.count("\n") == 1 and "--toy" in error


@pytest.mark.parametrize("kind", ["AMBER", "MLM", "TLM", "OT", "STOCK_MLM", "STOCK_TLM"])
def test_operations_are_those_that_torch_counts(modules, tmp_path, monkeypatch, kind):
    """On pairs of one length, without padding."""
    import training_work
    from speed_run import TOY_SHAPE
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    name = getattr(training_work, kind)
    monkeypatch.setattr(training_work, "pair_lengths", lambda n, _: np.tile([[9, 9]], (n, 1)))
    dictionary = training_work.dictionary_of(300)
    training_work.write_corpus(tmp_path, 20, dictionary)
    shape = dict(TOY_SHAPE, encoder_layers=3, dropout=0.1, attention_dropout=0.1)
    work = training_work.Work(tmp_path, dictionary, shape, 256, 1, torch.device("cpu"))
    trainee = work.stock("fp32") if name in training_work.STOCK else work.ours("fp32")
    candidate = work.candidate(name, trainee)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        candidate.run()
    counted = counter.get_total_flops()
    if kind == "AMBER":  # sentence alignment's own products of vectors, three of them
        pairs = len(work.batches[0])
        counted -= 3 * 2 * pairs * pairs * TOY_SHAPE["encoder_embed_dim"]
    assert candidate.flops == counted


def test_lengths_and_tokens_are_those_of_real_text(modules):
    from real_lengths import begins_word, pair_lengths, zipf_tokens

    rng = np.random.default_rng(0)
    lengths = pair_lengths(100_000, rng)
    np.testing.assert_allclose(lengths.mean(axis=0), [31.0, 28.0], rtol=0.02)
    middle = np.percentile(lengths, [5, 95], axis=0)
    np.testing.assert_allclose(middle, [[9, 8], [65, 57]], rtol=0.05)
    assert np.corrcoef(lengths.T)[0, 1] == pytest.approx(0.95, abs=0.02)
    assert lengths.min() >= 1
    tokens = zipf_tokens(100_000, 4, 31_000, rng)
    assert tokens.min() == 4 and tokens.max() < 31_000
    for most, share in ((10, 0.19), (100, 0.44), (1000, 0.70), (10_000, 0.96)):
        assert (tokens < 4 + most).mean() == pytest.approx(share, abs=0.06)
    assert np.mean([begins_word(t) for t in tokens]) == pytest.approx(0.66, abs=0.06)


def test_candidates_take_turns_until_the_time_is_over(modules, monkeypatch):
    import stopwatch

    clock, order = [0.0], []
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: clock[0])

    def candidate(name, seconds):
        def call():
            order.append(name)
            clock[0] += seconds
            if name == "c" and order.count("c") == 2:
                raise ValueError

        return call

    def attempt(what, function, *args):
        try:
            return function(*args)
        except ValueError:
            return None

    steps = {name: candidate(name, seconds) for name, seconds in (("a", 1), ("b", 2), ("c", 3))}
    times = stopwatch.in_turns(steps, 19.0, torch.device("cpu"), attempt)
    assert order == ["a", "b", "c", "b", "c", "a", "a", "b"]
    assert times == {"a": [1, 1, 1], "b": [2, 2, 2]}


def test_the_parts_of_steps_add_up(modules, monkeypatch):
    import stopwatch

    ticks = iter([0, 1, 3, 10, 11, 16])
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(ticks))
    parts = stopwatch.Parts(torch.device("cpu"))
    for _ in range(2):
        for part in ("", "forward", "backward"):
            parts.mark(part)
    assert parts.seconds() == {"forward": 2, "backward": 7}
    assert parts.seconds() == {}


def test_what_hangs_is_ended(modules):
    import stopwatch

    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeoutError, match="not done"), stopwatch.at_most(0.05):
        threading.Event().wait(20)
    assert signal.getsignal(signal.SIGALRM) is before
    with stopwatch.at_most(0.05):
        pass
    threading.Event().wait(0.1)  # no alarm is left
