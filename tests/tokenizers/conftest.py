"""A WordPiece vocabulary that knows most of the hard texts."""

from __future__ import annotations

import pytest

from wordpiece_samples import NASTY, vocabulary_of


@pytest.fixture(scope="module")
def pieces() -> list[str]:
    pytest.importorskip("tokenizers")
    return vocabulary_of(NASTY)
