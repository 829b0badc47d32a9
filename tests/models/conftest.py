"""Pairs of sentences, batches of them, and models with heads."""

import pytest

from fairseq_amber.data.alignment.collater import Collater
from fairseq_amber.data.alignment.example import Example
from fairseq_amber.data.alignment.masking import Masking, MaskingRates
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.layout import Specials
from fairseq_amber.models.heads import HEADS


@pytest.fixture
def pairs(random_sentences):
    return random_sentences(6, 1), random_sentences(6, 2)


@pytest.fixture
def with_head(make_model):
    """``(head, outputs=None, seed=0, **shape) ->`` a toy model with a head."""
    default = {"tagging": 5, "classification": 3, "qa": 2}
    assert default.keys() == HEADS.keys()

    def build(name, outputs=None, seed=0, **shape):
        model = make_model(seed, **shape)
        model.add_head(name, outputs or default[name])
        return model

    return build


@pytest.fixture
def make_batch(dictionary, random_sentences):
    """``(pairs=True, **needs) ->`` ``net_input`` of 5 pairs, or of 10 sentences."""

    def make(pairs=True, **needs):
        masking = Masking(
            MaskingRates(), dictionary.index("<mask>"), (dictionary.nspecial, len(dictionary) - 1)
        )
        collate = Collater(Specials.of(dictionary), Needs(**needs), masking)
        sources, targets = random_sentences(5, 1), random_sentences(5, 2)
        sources[0], targets[1] = sources[0][:1], targets[1][:1]  # one token
        if pairs:
            both = [Example(0, "de-en", i, pair) for i, pair in enumerate(zip(sources, targets))]
            return collate.rows.pairs(both, 1)["net_input"]
        alone = [Example(0, "de", i, (x,)) for i, x in enumerate(sources + targets)]
        return collate.rows.sentences(alone, 1)["net_input"]

    return make
