"""Plain-Python batching for where fairseq's compiled module of this name could not be built.

Python prefers the compiled module when both are there. Results are identical.
"""

import numpy as np


def batch_by_size_vec(indices, num_tokens_vec, max_tokens, max_sentences, bsz_mult):
    """Cuts ``indices`` into consecutive batches; a limit <= 0 means no limit.

    A batch of n sentences costs n times its longest sentence, at most ``max_tokens``, and holds
    at most ``max_sentences``. Its size is below ``bsz_mult`` or a multiple of it where possible.
    """
    if len(indices) == 0:
        return []
    assert max_tokens <= 0 or np.max(num_tokens_vec) <= max_tokens, (
        f"Sentences lengths should not exceed max_tokens={max_tokens}"
    )
    # [start, end) is the longest valid batch so far, [end, position] the tail not yet admitted
    ends = []
    start = end = 0
    batch_longest = tail_longest = 0
    for position, length in enumerate(num_tokens_vec.tolist()):
        tail_longest = max(tail_longest, length)
        longest = max(batch_longest, tail_longest)
        count = position + 1 - start
        overflow = count > max_sentences > 0 or count * longest > max_tokens > 0
        if overflow:
            if tail_longest * (position + 1 - end) > max_tokens > 0:
                # the tail is too large itself: it becomes a batch without this sentence
                ends.append(end)
                end = position
                tail_longest = length
            ends.append(end)
            start = end
            longest = tail_longest
        if overflow or count < bsz_mult or count % bsz_mult == 0:
            end = position + 1
            batch_longest = longest
            tail_longest = 0
    if end != len(indices):
        ends.append(end)
    return np.split(indices, ends)


def batch_by_size_fn(indices, num_tokens_fn, max_tokens, max_sentences, bsz_mult):
    """As ``batch_by_size_vec``, with the lengths from a function of the index."""
    lengths = np.fromiter(map(num_tokens_fn, indices.tolist()), dtype=np.int64, count=len(indices))
    return batch_by_size_vec(indices, lengths, max_tokens, max_sentences, bsz_mult)


def batch_fixed_shapes_fast(indices, num_tokens_fn, fixed_shapes_sorted):
    """Cuts ``indices`` into batches that fit one of the given (sentences, tokens) shapes."""
    all_shapes = fixed_shapes_sorted.tolist()
    shapes = all_shapes
    batches = []
    batch = []
    longest = 0
    for index in indices.tolist():
        longest = max(longest, num_tokens_fn(index))
        fitting = next(
            (
                i
                for i, (sentences, tokens) in enumerate(shapes)
                if len(batch) < sentences and longest <= tokens
            ),
            None,
        )
        if fitting is None:
            batches.append(batch)
            batch = []
            longest = 0
            shapes = all_shapes
        else:
            shapes = shapes[fitting:]
        batch.append(index)
    if batch:
        batches.append(batch)
    return batches
