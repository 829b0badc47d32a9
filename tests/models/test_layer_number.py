"""The number of a layer counts from 1 or from the end; a missing layer is an error."""

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.models.layer_number import layer_number, layer_numbers


@pytest.mark.parametrize("given, number", [(1, 1), (4, 4), (-1, 4), (-4, 1)])
def test_a_layer_counts_from_1_or_from_the_end(given, number):
    assert layer_number("--layer", given, 4) == number


def test_the_embeddings_are_a_layer_where_they_may_be():
    assert layer_number("--layer", 0, 4, embeddings=True) == 0
    assert layer_number("--layer", -5, 4, embeddings=True) == 0


@pytest.mark.parametrize("given, embeddings", [(0, False), (5, False), (-5, False), (-6, True)])
def test_a_layer_that_is_not_there(given, embeddings):
    with pytest.raises(UserError, match=f"--sa-layer {given}: the model has layers 1 to 4"):
        layer_number("--sa-layer", given, 4, embeddings=embeddings)


@pytest.mark.parametrize(
    "text, layers",
    [("all", [0, 1, 2, 3]), ("2", [2]), ("3,1-2,1", [1, 2, 3]), ("0, -1", [0, 3]), ("-4", [0])],
)
def test_layers_are_numbers_and_ranges(text, layers):
    assert layer_numbers("--layers", text, 3) == layers
