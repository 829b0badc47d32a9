"""Checks that the sentences of a token file fit a dictionary."""

from __future__ import annotations

import numpy as np

from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.errors import UserError

AT_OPENING = 1 << 26  # ids, which takes a tenth of a second


def check_tokens(file: TokenFile, symbols: int, eos: int, most: int | None = None) -> None:
    """Checks that every id is in the dictionary and that every sentence ends in ``</s>``.

    Args:
        file: the sentences.
        symbols: the number of symbols of the dictionary.
        eos: the id of ``</s>``.
        most: the check ends after about so many ids; None for all.

    Raises:
        UserError: one is not, or does not.
    """
    if (file.sizes < 1).any():
        raise _unended(file)
    for begin, tokens, starts in file.blocks():
        outside = [int(x) for x in (tokens.min(), tokens.max()) if not 0 <= x < symbols]
        if outside:
            raise UserError(
                f"{file.prefix}.bin holds token {outside[-1]} but the dictionary has {symbols} "
                "symbols: it is damaged, or was binarised with another dictionary; prepare the "
                "folder again"
            )
        if (tokens[np.append(starts[1:], len(tokens)) - 1] != eos).any():
            raise _unended(file)
        if most is not None and begin + len(tokens) >= most:
            break


def _unended(file: TokenFile) -> UserError:
    return UserError(
        f"{file.prefix}.bin holds a sentence that does not end in </s>: binarise with "
        "fairseq-amber prepare or stock fairseq-preprocess, or prepare the folder again"
    )
