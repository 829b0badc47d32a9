"""The default layer of each method."""

import pytest

from fairseq_amber.inference.word_alignment.defaults import METHODS, default_layer


@pytest.mark.parametrize(
    "depth, layer", [(1, 1), (2, 2), (3, 2), (4, 3), (6, 4), (12, 8), (24, 16), (36, 24)]
)
def test_two_thirds_of_the_depth_but_the_last_for_attention(depth, layer):
    for method in METHODS:
        assert default_layer(method, depth) == (depth if method == "attention" else layer)
