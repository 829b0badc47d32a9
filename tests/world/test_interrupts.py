"""Ctrl-C, once or twice, at any moment, ends a command with one line and status 130."""

import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.fixture
def interrupted():
    """Runs a program in a process group of its own, and sends it Ctrl-C as a terminal does."""

    def run(code, *presses):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for line in presses:
            assert process.stdout.readline() == f"{line}\n"
            time.sleep(0.05)
            os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=30)
        return process.returncode, out, error

    return run


PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import fairseq_amber.user_dir as command
from fairseq_amber import cli

class Callback:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(30)

def pause(word):
    print(word, flush=True)
    time.sleep(30)

def run(args):
{body}

command.run = run
sys.argv[1:] = ["user-dir"]
status = cli.main()
{after}
sys.exit(status)
"""
LINE = "fairseq-amber: interrupted; the same command starts anew\n"


def test_once_ends_in_order(interrupted):
    body = "    try:\n        pause('ready')\n    finally:\n        print('tidied', flush=True)"
    code = PROGRAM.format(body=body, after="")
    assert interrupted(code, "ready") == (130, "tidied\n", LINE)


def test_twice_ends_at_once(interrupted):
    """The second Ctrl-C, while workers were being ended, hung or printed tracebacks."""
    # The command's own tidying takes a second KeyboardInterrupt for its own, as libraries do.
    body = """\
    try:
        pause('ready')
    finally:
        try:
            pause('ending')
        except KeyboardInterrupt:
            print('swallowed', flush=True)
            time.sleep(30)"""
    code = PROGRAM.format(body=body, after="")
    assert interrupted(code, "ready", "ending") == (130, "", LINE)


def test_where_python_can_raise_nothing(interrupted):
    """ "Exception ignored in ..." with a traceback, and the command went on."""
    code = PROGRAM.format(body="    Callback()\n    print('went on', flush=True)", after="")
    assert interrupted(code, "ready") == (130, "", LINE)


def test_after_the_work_the_status_tells_of_the_work(interrupted):
    """A program that had done its work died by the signal while Python was ending."""
    code = PROGRAM.format(body="    return 0", after="print('done', flush=True); time.sleep(0.3)")
    assert interrupted(code, "done") == (0, "", "")


def test_with_workers_nothing_is_left(interrupted):
    """Workers are ended with the program, also at once."""
    body = """\
    import os
    from fairseq_amber.preparation.workers import WorkerPool
    with WorkerPool(2) as pool:
        for word in pool.map(work, [(i,) for i in range(2)]):
            print(word)"""
    work = "def work(i):\n    import os; os.write(1, b'ready\\n')\n    time.sleep(30)\n\ndef run"
    code = PROGRAM.format(body=body, after="").replace("def run", work)
    status, _, error = interrupted(code, "ready", "ready")
    assert (status, error) == (130, LINE)
