import io

import numpy as np
import pytest

from fairseq_amber.files.npy_file import check_npy


def saved(array, **edit):
    """The bytes of an array; ``edit`` replaces what stands in its header."""
    stream = io.BytesIO()
    np.save(stream, array)
    data = stream.getvalue()
    for old, new in edit.values():
        assert old in data and len(old) == len(new)
        data = data.replace(old, new)
    return data


def check(data):
    check_npy(io.BytesIO(data), len(data))


@pytest.mark.parametrize("array", [np.ones((3, 2)), np.ones((0, 5), "f2"), np.array(3), [[1, 2]]])
def test_whole_arrays_pass(array):
    check(saved(array))
    check(saved(array) + b"more")


@pytest.mark.parametrize(
    "data",
    [
        saved(np.ones((3, 2)))[:-1],
        saved(np.ones((3, 2)), shape=(b"(3, 2), }     ", b"(3, 2000000), ")),
        saved(np.ones((3, 2)), shape=(b"(3, 2), }  ", b"(-3, -2), }")),
        saved(np.ones((3, 2)), shape=(b"(3, 2), }", b"(3, 2-, }")),
        saved(np.ones((3, 2)), dtype=(b"<f8", b"<q8")),
        saved(np.ones((3, 2)), magic=(b"NUMPY\x01", b"NUMPY\x09")),
        saved(np.array([None])),
        saved(np.ones(3))[:40],
        b"",
    ],
)
def test_damage_is_found_before_the_array_is_read(data):
    with pytest.raises(ValueError):
        check(data)


def test_every_flipped_bit_of_a_header_is_refused_or_leaves_an_array_that_is_there():
    whole = saved(np.ones((3, 2)))
    for place in range(128):
        for bit in range(8):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            try:
                check(bytes(data))
            except ValueError:
                continue
            assert np.load(io.BytesIO(data)).nbytes <= 48
