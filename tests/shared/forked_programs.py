"""Programs of the installed packages for the tests, each in a process of its own, but forked from
one that has imported torch and fairseq: that takes longer than a toy training."""

import array
import contextlib
import functools
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The imports of our programs that take long. Every optimizer of torch imports torch's compiler.
HEAVY = (
    "fairseq",
    "torch._dynamo",
    "sentencepiece",
    "matplotlib.pyplot",
    "torch.utils.tensorboard",
)
SCRIPT = """#!/bin/sh
'''exec' {python} -IS "$0" "$@"
' '''
import sys
sys.path.insert(0, {here})
from forked_programs import run_as_this_process
run_as_this_process({address}, {name}, sys.argv)
"""


class ForkedProgram:
    """A program that runs.

    Args:
        address: where the server listens.
        request: ``python``, the arguments of Python, or ``entry_point``, the name of a program,
            with its ``argv``; its ``environment`` and ``folder``.
        files: its standard input, output and error.
    """

    def __init__(self, address, request, files):
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connection.connect(address)
        message = json.dumps(request).encode() + b"\n"
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))
        sent = self.connection.sendmsg([message], [rights])  # Python 3.8 has no send_fds
        self.connection.sendall(message[sent:])
        self.answers = self.connection.makefile()
        self.pid = int(self.answers.readline())

    def fileno(self):
        """Readable when the program has ended."""
        return self.connection.fileno()

    def wait(self):
        """The exit status, below 0 for a signal."""
        return int(self.answers.readline())

    def send_signal(self, number):
        """Sends a signal, also to one that has just ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


@functools.lru_cache(maxsize=None)
def server_address():
    """Where the server listens; it ends with the process that asks for it first."""
    folder = tempfile.mkdtemp(prefix="amber-tests-", dir="/tmp")  # short: a path has 107 bytes
    address = f"{folder}/socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen(64)
        server_address.server = subprocess.Popen(
            [sys.executable, __file__, str(listener.fileno()), address],
            stdin=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    return address


@functools.lru_cache(maxsize=None)
def forked_python():
    """A program that does what ``sys.executable`` does, with torch and fairseq imported already.
    It looks for modules where the tests do, whatever its PYTHONPATH is."""
    path = Path(server_address()).with_name("python")
    write_program(path, path.name)
    return str(path)


def write_program(path, name):
    """Writes a program that is forked, in place of the installed one of that name."""
    words = dict(here=str(Path(__file__).parent), address=server_address(), name=name)
    words = {key: repr(value) for key, value in words.items()}
    path.write_text(SCRIPT.format(python=f'"{sys.executable}"', **words))
    path.chmod(0o755)


def run_as_this_process(address, name, argv):
    """Starts the program ``name``, passes signals on, and ends as it ends."""
    request = dict(environment=dict(os.environ), folder=os.getcwd())
    if name != "python":
        request.update(entry_point=name, argv=argv)
    elif argv[1:] and (argv[1] in ("-c", "-m", "-") or not argv[1].startswith("-")):
        request.update(python=argv[1:])
    else:  # what other flags ask for is decided before an import
        os.execv(sys.executable, [sys.executable, *argv[1:]])
    program = ForkedProgram(address, request, [0, 1, 2])  # it ends with this process
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: program.send_signal(number))
    status = program.wait()
    if status < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _serve(listener, address):
    import select
    import shutil

    with contextlib.redirect_stdout(sys.stderr):
        for module in HEAVY:
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
    import logging

    logging.root.handlers.clear()  # a program chooses its own before it imports fairseq
    # What one program has compiled, the next ones only load.
    sys.dont_write_bytecode, sys.pycache_prefix = False, os.path.dirname(address)
    while True:
        ready = select.select([listener, 0], [], [])[0]
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if 0 in ready:  # the tests have ended
            shutil.rmtree(os.path.dirname(address), ignore_errors=True)
            return
        connection, _ = listener.accept()
        message, files = _received(connection)
        if message.endswith(b"\n") and not os.fork():
            listener.close()
            _run(connection, json.loads(message), files)
        connection.close()
        for file in files:
            os.close(file)


def _received(connection):
    """A request and its files; not all of it where who asked was interrupted."""
    message, files = b"", []
    with contextlib.suppress(ConnectionError):
        numbers = array.array("i")
        room = socket.CMSG_LEN(3 * numbers.itemsize)
        message, rights, _, _ = connection.recvmsg(1 << 16, room)
        for _, _, data in rights:
            numbers.frombytes(data)
        files = numbers.tolist()
        while not message.endswith(b"\n"):
            rest = connection.recv(1 << 16)
            if not rest:
                break
            message += rest
    return message, files


def _run(connection, request, files):
    """Runs the program in a child of this process and tells the one who asked."""
    child = os.fork()
    if not child:
        connection.close()
        _become(request, files)
    for file in (0, 1, 2, *files):
        os.close(file)
    with contextlib.suppress(OSError):  # nobody waits any more
        connection.sendall(f"{child}\n".encode())
    threading.Thread(target=_end_with_who_asked, args=(connection, child), daemon=True).start()
    status = os.waitpid(child, 0)[1]
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    with contextlib.suppress(OSError):  # nobody waits any more
        connection.sendall(f"{code}\n".encode())
    os._exit(0)


def _end_with_who_asked(connection, child):
    with contextlib.suppress(ConnectionError):
        connection.recv(1)  # nothing more is said: this waits for the end
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def _become(request, files):
    import atexit
    import traceback

    status = 1
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.setsid()  # a program may end its process group, but not the server
        os.environ.clear()
        os.environ.update(request["environment"])
        # ignored where the tests run in the background of a shell
        signal.signal(signal.SIGINT, signal.default_int_handler)
        tempfile.tempdir = None  # which one it is was asked at an import
        os.chdir(request["folder"])
        if "python" in request:
            _run_python(*request["python"])
            status = 0
        else:
            sys.exit(_entry_point(request["entry_point"], request["argv"]))
    except SystemExit as exit:
        status = exit.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _run_python(what, *arguments):
    """Does what Python does with these arguments: ``-c CODE``, ``-m MODULE``, ``-`` for the code on
    the standard input, or a file."""
    sys.argv[:] = [what, *arguments]
    if what in ("-c", "-"):
        code = sys.argv.pop(1) if what == "-c" else sys.stdin.read()
        sys.path[0] = ""
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), vars(main))
    elif what == "-m":
        del sys.argv[0]
        sys.path[0] = os.getcwd()
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.realpath(what))
        runpy.run_path(what, run_name="__main__")


def _entry_point(name, argv):
    """What the program of this name returns."""
    from importlib.metadata import entry_points

    sys.argv[:] = argv
    sys.path[0] = os.path.dirname(argv[0])
    (found,) = (point for point in entry_points(group="console_scripts") if point.name == name)
    return found.load()()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
