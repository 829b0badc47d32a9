"""Protocol buffers as bytes."""

import struct

import pytest

from fairseq_amber.tokenizers import protobuf


def test_fields_come_back():
    inner = protobuf.field(1, "ä") + protobuf.field(3, 300)
    data = protobuf.field(1, inner) + protobuf.field(2, -1.5) + protobuf.field(1, b"")
    message = protobuf.parse(data + protobuf.field(24, 0))
    assert message == {1: [inner, b""], 2: [struct.pack("<f", -1.5)], 24: [0]}
    assert protobuf.parse(inner) == {1: ["ä".encode()], 3: [300]}


@pytest.mark.parametrize("cut", range(1, 12))
def test_what_is_cut_short_is_no_message(cut):
    data = protobuf.field(1, b"0123456789")
    with pytest.raises(ValueError, match="cut short"):
        protobuf.parse(data[:cut])
