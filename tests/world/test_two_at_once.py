"""Two programs on one output: the second ends with one line, and nothing is mixed."""

import numpy as np
import pytest

from fairseq_amber import cli
from fairseq_amber.errors import UserError
from fairseq_amber.inference.embedding.vector_file import VectorFile
from lock_holder import hold_lock
from writing_commands import WRITERS


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    path = tmp_path_factory.mktemp("held") / "out.npy"
    process = hold_lock(path)
    yield path
    process.communicate()


@pytest.mark.parametrize("writer", WRITERS)
def test_every_command_that_writes_refuses_an_output_in_work(writer, held, capsys):
    """Two ``embed`` of different layers wrote one file with rows of both, and exit status 0."""
    assert cli.main(WRITERS[writer].format(held).split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"is writing {held}; wait until it has ended" in error
    assert not held.exists()


def test_the_vectors_of_two_writers_are_not_mixed(tmp_path, held):
    with pytest.raises(UserError, match="another process .* is writing .*out.npy"):
        VectorFile(held, 3, np.dtype("float32"), {"layer": 1})
    one = VectorFile(tmp_path / "x.npy", 3, np.dtype("float32"), {"layer": 1})
    one.append(np.ones((2, 3)), {})
    one.close()
