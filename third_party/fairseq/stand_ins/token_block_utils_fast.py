"""Plain-Python block index for where fairseq's compiled module of this name could not be built.

Python prefers the compiled module when both are there. Results are identical.
"""

import math

import numpy as np


def _get_slice_indices_fast(sizes, break_mode, block_size, document_sep_len):
    """Returns the (start, end) token positions of each block, an int64 array of shape (blocks, 2).

    ``sizes`` holds the lengths of the sentences of one long token stream. A sentence of length
    ``document_sep_len`` ends a document in the mode ``complete_doc``.
    """
    if break_mode is None or break_mode == "none":
        total = int(sizes.sum())
        starts = np.arange(math.ceil(total / block_size), dtype=np.int64) * block_size
        return np.stack([starts, np.minimum(starts + block_size, total)], axis=1)
    if break_mode == "eos":
        ends = sizes.cumsum()
        return np.stack([ends - sizes, ends], axis=1)
    if break_mode == "complete":
        return _complete_blocks(sizes.tolist(), block_size)
    if break_mode == "complete_doc":
        return _complete_document_blocks(sizes.tolist(), block_size, document_sep_len)
    raise ValueError("Invalid break_mode: " + break_mode)


def _complete_blocks(sizes, block_size):
    blocks = []
    start = length = 0
    for size in sizes:
        if length and length + size > block_size:
            blocks.append((start, start + length))
            start += length
            length = 0
        length += size
    if length:
        blocks.append((start, start + length))
    return np.array(blocks, dtype=np.int64).reshape(len(blocks), -1)


def _complete_document_blocks(sizes, block_size, document_sep_len):
    blocks = []
    start = length = 0

    def close():
        # a block of one token is an end-of-document mark alone
        if length > 1:
            blocks.append((start, start + length))

    for size in sizes:
        separator = size == document_sep_len
        if separator or (length and length + size > block_size):
            close()
            start += length
            length = 0
        if separator:
            start += size
        else:
            length += size
    close()
    return np.array(blocks, dtype=np.int64).reshape(len(blocks), -1)


def _get_block_to_dataset_index_fast(sizes, slice_indices):
    """Returns (first sentence, offset in it, last sentence) of each block, int64, (blocks, 3)."""
    ends = sizes.cumsum()
    starts, stops = slice_indices[:, 0], slice_indices[:, 1]
    first, offset = _locate(ends, starts)
    last, _ = _locate(ends, np.where(stops > starts, stops - 1, starts))
    return np.stack([first, offset, last], axis=1)


def _locate(ends, positions):
    """The sentence that holds each position of the stream, and the position's offset in it.

    A position between two sentences belongs to the earliest sentence that can begin there, which
    matters where sentences are empty.
    """
    sentence = np.searchsorted(ends, positions, side="left")
    begins = np.concatenate([[0], ends])
    at_end = (positions > 0) & (begins[sentence + 1] == positions)
    sentence = np.where(positions == 0, 0, sentence + at_end)
    return sentence, positions - begins[sentence]
