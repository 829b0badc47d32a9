"""One form of errors and of warnings, wherever they are shown."""

import logging
import os
import subprocess
import sys

import pytest

from fairseq_amber import cli
from fairseq_amber.errors import (
    UserError,
    error_line,
    exit_clearly,
    one_line,
    warn,
    warning_line,
)


def test_a_user_error_ends_a_hook_of_fairseq_with_one_line():
    @exit_clearly
    def hook():
        raise UserError("x.de:3: bad")

    with pytest.raises(SystemExit) as ending:
        hook()
    assert ending.value.code == "fairseq-amber: error: x.de:3: bad"
    assert ending.value.__suppress_context__


def test_other_errors_and_results_of_a_hook_pass_through():
    assert exit_clearly(lambda x: x + 1)(1) == 2
    with pytest.raises(ZeroDivisionError):
        exit_clearly(lambda: 1 / 0)()


def test_a_file_that_the_system_refuses_ends_a_hook_with_one_line(tmp_path):
    with pytest.raises(SystemExit) as ending:
        exit_clearly(open)(tmp_path)
    assert ending.value.code == (
        f"fairseq-amber: error: cannot use {tmp_path}: Is a directory; give a path that this user "
        "can reach"
    )
    with pytest.raises(OSError):
        exit_clearly(os.read)(-1, 1)  # names no file


def test_what_a_terminal_would_obey_is_shown(capsys):
    shown = [error_line(UserError("x\x1b[2J\ny\u2028é\u202e\ud800\x9b")), warning_line("a\rb\x00")]
    assert shown == [
        r"fairseq-amber: error: x\x1b[2J\ny\u2028é\u202e\ud800\x9b",
        r"fairseq-amber: warning: a\rb\x00",
    ]
    text = "Größe 红 \u0646\u200c\u0627 e\u0301 \u00a0 'x' \\n"  # joiners, accents and quotes stay
    assert one_line(text) == text


def test_a_log_that_is_configured_has_the_warning(caplog):
    warn("100 % of x\x07")
    assert caplog.record_tuples == [("fairseq_amber", logging.WARNING, r"100 % of x\x07")]


def test_without_a_log_the_warning_is_one_line_on_stderr():
    code = "from fairseq_amber.errors import warn; warn('100 % of x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "fairseq-amber: warning: 100 % of x\n" and done.stdout == ""


def test_a_command_shows_each_warning_once_on_stderr(monkeypatch, capsys):
    def run(args):
        root = logging.StreamHandler(sys.stdout)  # such as fairseq installs when it is imported
        logging.getLogger().addHandler(root)
        try:
            warn("100 % of x")
            logging.getLogger("fairseq_amber.models").warning("of %s", "y")
            logging.getLogger("fairseq_amber.models").critical("z")
        finally:
            logging.getLogger().removeHandler(root)

    monkeypatch.setattr("fairseq_amber.user_dir.run", run)
    assert cli.main(["user-dir"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    lines = [f"fairseq-amber: warning: {text}\n" for text in ("100 % of x", "of y", "z")]
    assert err == "".join(lines)


def test_a_command_leaves_information_to_the_log(monkeypatch, caplog):
    def run(args):
        logging.getLogger("fairseq_amber.models").info("the head is new")

    monkeypatch.setattr("fairseq_amber.user_dir.run", run)
    with caplog.at_level(logging.INFO):
        assert cli.main(["user-dir"]) == 0
    assert caplog.messages == ["the head is new"]


@pytest.mark.parametrize("result", [None, UserError("bad")])
def test_the_logger_is_as_before_when_a_command_has_ended(result, monkeypatch):
    def run(args):
        if result is not None:
            raise result

    monkeypatch.setattr("fairseq_amber.user_dir.run", run)
    logger = logging.getLogger("fairseq_amber")
    before = logger.propagate, list(logger.handlers)
    cli.main(["user-dir"])
    assert (logger.propagate, logger.handlers) == before
