"""Reads and writes protocol buffers, as far as SentencePiece's files and offsets need it.

The package protobuf is not used: sentencepiece and transformers both come with a generated module
for the same messages, and a process that imports both ends in an error.
"""

from __future__ import annotations

import struct
from typing import Any, Dict, List

Message = Dict[int, List[Any]]  # the values, int or bytes, of each field number

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def parse(data: bytes) -> Message:
    """Reads a message.

    Returns:
        The values of each field by its number: integers, or the bytes of strings, floats and
        inner messages.

    Raises:
        ValueError: the bytes are not a message.
    """
    message: Message = {}
    position, end = 0, len(data)
    while position < end:
        # Most keys, lengths and numbers have one byte, and question answering reads millions.
        key = data[position]
        position += 1
        if key > 0x7F:
            key, position = _varint(data, position - 1)
        number, kind = key >> 3, key & 7
        if kind == _VARINT or kind == _BYTES:
            value = data[position] if position < end else 0x80  # then _varint finds it cut short
            position += 1
            if value > 0x7F:
                value, position = _varint(data, position - 1)
            if kind == _VARINT:
                message.setdefault(number, []).append(value)
                continue
            length = value
        elif kind in (_FOUR_BYTES, _EIGHT_BYTES):
            length = 4 if kind == _FOUR_BYTES else 8
        else:
            raise ValueError(f"wire type {kind}")
        if number == 0 or position + length > end:
            raise ValueError("cut short")
        message.setdefault(number, []).append(data[position : position + length])
        position += length
    return message


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise ValueError("cut short")


def field(number: int, value: int | float | str | bytes) -> bytes:
    """Returns the bytes of one field.

    A message is the concatenation of its fields. A further value of a repeated field, and a value
    that replaces an earlier one, may be appended to a message.
    """
    if isinstance(value, float):
        return _encoded(number << 3 | _FOUR_BYTES) + struct.pack("<f", value)
    if isinstance(value, int):
        return _encoded(number << 3 | _VARINT) + _encoded(value)
    data = value.encode("utf-8") if isinstance(value, str) else value
    return _encoded(number << 3 | _BYTES) + _encoded(len(data)) + data


def _encoded(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
