import io
import os
import re
import select
import struct
import sys
import threading
from pathlib import Path

import pytest

import fairseq_amber
from fairseq_amber import cli, progress
from fairseq_amber.progress import Pace, Progress, command_progress, ticking


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


def lines_of(stream):
    assert stream.getvalue().endswith("\n") or not stream.getvalue()
    assert "\r" not in stream.getvalue()
    return stream.getvalue().splitlines()


def test_without_a_terminal_lines_have_count_total_rate_and_time_left(clock):
    stream = io.StringIO()
    with Progress(
        total=1200, unit="sentences", what="encoding x.de", pace=Pace(30, clock), stream=stream
    ) as stage:
        for _ in range(12):
            clock.now += 10
            stage.update(100)
    assert lines_of(stream) == [
        f"fairseq-amber: encoding x.de: {done} of 1,200 sentences ({share} %), 10 a second, {left} "
        "left"
        for done, share, left in (
            ("300", 25, "1:30"),
            ("600", 50, "1:00"),
            ("900", 75, "0:30"),
            ("1,200", 100, "0:00"),
        )
    ]


def test_the_name_of_a_stage_does_not_command_the_terminal(clock):
    stream = io.StringIO()
    stage = Progress(total=2, what="x\x1b[2J", pace=Pace(0, clock), stream=stream)
    stage.update()
    stage.describe("y\nz")
    stage.update()
    first, second = lines_of(stream)
    assert r"x\x1b[2J" in first and r"y\nz" in second and "\x1b" not in first


def test_a_slow_update_brings_one_line_and_not_those_that_were_missed(clock):
    stream = io.StringIO()
    stage = Progress(total=4, unit="files", pace=Pace(30, clock), stream=stream)
    clock.now += 29.9
    stage.update()
    assert lines_of(stream) == []
    clock.now += 100
    stage.update()
    stage.update()
    assert lines_of(stream) == ["fairseq-amber: 2 of 4 files (50 %), 65.0 s each, 2:10 left"]


def test_a_command_that_is_short_says_nothing(clock):
    stream = io.StringIO()
    with command_progress(Pace(30, clock)):
        for _ in range(3):
            for _ in Progress(range(3), unit="sentences", stream=stream):
                clock.now += 3
    assert stream.getvalue() == ""


def test_a_command_of_many_short_stages_says_which_it_is_at(clock):
    stream = io.StringIO()
    with command_progress(Pace(30, clock)):
        for number in range(1, 7):
            with Progress(total=2, unit="sentences", what=f"text {number}", stream=stream) as stage:
                clock.now += 14
                stage.update(2)
    assert lines_of(stream) == [
        f"fairseq-amber: text {number}: 2 of 2 sentences (100 %), 7.0 s each, 0:00 left"
        for number in (3, 6)  # after 42 and 84 seconds
    ]


def test_outside_of_a_command_a_stage_has_a_pace_of_its_own(clock, monkeypatch):
    monkeypatch.setattr(progress, "Pace", lambda *_: Pace(30, clock))
    stream = io.StringIO()
    for _ in range(9):
        for _ in Progress(range(1), unit="sentences", stream=stream):
            clock.now += 14
    assert stream.getvalue() == ""


def test_what_was_done_before_is_counted_but_not_timed(clock):
    stream = io.StringIO()
    stage = Progress(total=1000, done=700, unit="lines", pace=Pace(30, clock), stream=stream)
    clock.now += 60
    stage.update(120)
    assert lines_of(stream) == ["fairseq-amber: 820 of 1,000 lines (82 %), 2.0 a second, 1:30 left"]


def test_the_time_left_follows_the_work_where_it_is_told(clock):
    stream = io.StringIO()
    stage = Progress(total=100, work=400, unit="rows", pace=Pace(30, clock), stream=stream)
    clock.now += 60
    stage.update(10, work=100)
    assert lines_of(stream) == ["fairseq-amber: 10 of 100 rows (10 %), 6.0 s each, 3:00 left"]


@pytest.mark.parametrize(
    "options, line",
    [
        ({}, "1:02:05 so far"),
        ({"what": "learning"}, "learning: 1:02:05 so far"),
        ({"unit": "lines"}, "0 lines, 1:02:05 so far"),
        ({"unit": "lines", "total": 7}, "0 of 7 lines (0 %), 1:02:05 so far"),
        ({"unit": "lines", "total": 0}, "0 of 0 lines (0 %), 1:02:05 so far"),
    ],
)
def test_before_the_first_update_a_line_tells_the_time(options, line, clock):
    stage = Progress(pace=Pace(30, clock), stream=io.StringIO(), **options)
    clock.now += 3725
    assert stage.line() == line


def test_without_a_total_there_is_no_time_left(clock):
    stage = Progress((i for i in range(9)), unit="lines", pace=Pace(30, clock), stream=Terminal())
    clock.now += 60
    stage.update(1_500_000)
    assert stage.line() == "1,500,000 lines, 25,000 a second, 1:00 so far"


def test_a_terminal_has_a_bar_which_goes_unless_it_is_to_be_left(clock):
    for leave in (False, True):
        stream = Terminal()
        with Progress(
            total=3, unit="files", what="checking", leave=leave, pace=Pace(30, clock), stream=stream
        ) as stage:
            clock.now += 100
            stage.describe("reading")
            stage.update(3)
        text = stream.getvalue()
        assert text.startswith("\rchecking:   0%|") and "| 0/3 [" in text
        assert "fairseq-amber:" not in text
        assert ("reading: 100%|" in text) == leave


@pytest.mark.parametrize("columns", [0, 90])
def test_a_terminal_that_states_no_width_has_lines(columns, clock):
    pty = pytest.importorskip("pty")
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    screen, terminal = pty.openpty()
    fcntl.ioctl(
        terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40 * bool(columns), columns, 0, 0)
    )
    with os.fdopen(screen, "rb", buffering=0) as seen, os.fdopen(terminal, "w") as stream:
        with Progress(total=2, unit="files", pace=Pace(30, clock), stream=stream) as stage:
            clock.now += 30
            stage.update()
            assert select.select([seen], [], [], 20)[0], "nothing was written"
            text = seen.read(4096).decode()
    assert text.startswith("\r  0%|" if columns else "fairseq-amber: 1 of 2 files (50 %), ")


class WithoutIsatty:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "make", [lambda: None, closed, WithoutIsatty, lambda: open("/dev/full", "w")]
)
def test_an_unusual_stderr_stops_no_work(make, monkeypatch):
    stream = make()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(total=2, unit="files", pace=Pace(0)) as stage:
        stage.update()
    progress.print_status("de-en: 3 lines")
    if isinstance(stream, WithoutIsatty):
        assert stream.text.startswith("fairseq-amber: 1 of 2 files (50 %), ")
        assert stream.text.endswith(" left\nde-en: 3 lines\n")


def test_without_tqdm_a_terminal_has_lines(clock, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    progress._bar_class.cache_clear()
    stream = Terminal()
    try:
        with Progress(total=2, unit="files", pace=Pace(30, clock), stream=stream) as stage:
            clock.now += 30
            stage.update()
    finally:
        progress._bar_class.cache_clear()
    assert lines_of(stream) == ["fairseq-amber: 1 of 2 files (50 %), 30.0 s each, 0:30 left"]


def test_an_error_message_has_a_line_to_itself(monkeypatch, tmp_path):
    (tmp_path / "found").write_text("0-0\nbad\n")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert cli.main(["aer", str(tmp_path / "found"), str(tmp_path / "found")]) == 2
    before, message = terminal.getvalue().split("fairseq-amber: error: ")
    assert "0/2" in before and before.endswith(" \r") and message.count("\n") == 1
    assert message.endswith("(possible)\n")


def test_a_bar_starts_no_thread(monkeypatch):
    bar = progress._bar_class()
    monkeypatch.setattr(bar, "monitor", None)  # tqdm's thread
    with Progress(total=3, unit="files", stream=Terminal()):
        assert bar.monitor is None


def test_a_stage_that_beats_tells_the_time_during_one_long_call(clock):
    told = threading.Event()

    class Stream(io.StringIO):
        def write(self, text):
            told.set()
            return super().write(text)

    stream = Stream()
    with Progress(what="learning", pace=Pace(30, clock), stream=stream) as stage:
        with ticking(stage, every=0.001):
            clock.now += 45
            assert told.wait(60)
        clock.now += 45
    assert lines_of(stream) == ["fairseq-amber: learning: 0:45 so far"]


def test_the_counts_of_an_iteration_come_after_each_item(clock):
    stage = Progress("abc", unit="letters", pace=Pace(30, clock), stream=io.StringIO())
    said = [stage.line().split(" (")[0] for _ in stage]
    assert said == ["0 of 3 letters", "1 of 3 letters", "2 of 3 letters"]


def test_messages_are_lines_on_stderr(capsys):
    progress.print_status("de-en: 3 of 4 lines")
    assert capsys.readouterr() == ("", "de-en: 3 of 4 lines\n")


def test_there_is_one_way_to_show_progress():
    package = Path(fairseq_amber.__file__).parent
    texts = {path.name: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    users = [
        name for name, text in texts.items() if re.search(r"^\s*(from|import) tqdm", text, re.M)
    ]
    assert users == ["progress.py"]
