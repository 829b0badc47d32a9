"""The flags of the contrast that go with words, and those that go with sentences."""

import re

import pytest

from fairseq_amber.criterions import terms
from fairseq_amber.criterions.contrastive_config import (
    ContrastiveAlignmentConfig,
    check,
    link_settings,
    point_settings,
    temperature,
)
from fairseq_amber.data.alignment.needs import LinkSettings, PointSettings
from fairseq_amber.errors import UserError

WORDS = dict(contrast_units="words", contrast_links="links")


def config(**settings):
    return ContrastiveAlignmentConfig(_name="contrastive_alignment", **settings)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"contrast_units": "words"}, "--contrast-links names the folder with the word links"),
        ({**WORDS, "contrast_weight": 0.0}, "--contrast-units words has no effect without"),
        ({**WORDS, "contrast_momentum": 0.9}, "--contrast-momentum has no effect on"),
        (
            {**WORDS, "contrast_momentum": 0.9, "contrast_queue": 9},
            "--contrast-momentum has no effect on --contrast-units words: drop either",
        ),
        ({**WORDS, "contrast_pooling": "mean"}, "--contrast-pooling has no effect on"),
        ({**WORDS, "contrast_skip_special_tokens": True}, "--contrast-skip-special-tokens has no"),
        ({**WORDS, "anchor_reduction": "sum"}, "--anchor-reduction sum is over the points of"),
        (
            {**WORDS, "contrast_link_units": "subwords", "contrast_subword": "last"},
            "--contrast-subword has no effect on --contrast-link-units subwords",
        ),
        ({"contrast_links": "links"}, "--contrast-links has no effect on --contrast-units sent"),
        ({"contrast_negatives": "strong"}, "--contrast-negatives has no effect on"),
        ({"contrast_subword": "last"}, "--contrast-subword has no effect on"),
        ({"contrast_link_units": "subwords"}, "--contrast-link-units has no effect on"),
        ({"contrast_target_language": "de"}, "--contrast-target-language has no effect on"),
        ({"anchor_weight": 1.0}, "--anchor-weight has no effect on --contrast-units sentences"),
        ({"anchor_checkpoint": "a.pt"}, "--anchor-checkpoint has no effect without"),
        ({"anchor_reduction": "mse"}, "--anchor-reduction has no effect without --anchor-weight"),
        ({"contrast_projection": 4, "contrast_projection_layers": 3}, "3 is neither 1 nor 2"),
        ({"contrast_projection_layers": 2}, "has no effect without --contrast-projection"),
        ({"contrast_skip_special_tokens": True}, "has no effect on --contrast-pooling cls"),
        (
            {"contrast_momentum": 0.9, "contrast_candidates": "step"},
            "--contrast-candidates step has no effect on --contrast-momentum",
        ),
        ({"contrast_momentum": 0.9, "contrast_queue": 10**23}, "is more than 2147483647"),
        ({"contrast_projection": 10**11}, "--contrast-projection 100000000000 is more than"),
        ({**WORDS, "contrast_temperature": -1.0}, "--contrast-temperature -1.0 is not a finite"),
    ],
)
def test_a_flag_that_would_be_ignored_or_is_missing_is_named(settings, message):
    with pytest.raises(UserError, match=re.escape(message)):
        check(config(**settings))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        WORDS,
        {"contrast_momentum": 0.9, "contrast_queue": 5, "contrast_pooling": "mean"},
        {**WORDS, "contrast_normalize": True, "contrast_symmetric": True},
        {**WORDS, "contrast_projection": 4, "contrast_projection_layers": 2, "anchor_weight": 1.0},
    ],
)
def test_flags_that_go_together_are_taken(settings):
    check(config(**settings))


def test_settings_of_a_contrast_that_is_left_out_are_named(monkeypatch):
    warned = []
    monkeypatch.setattr(terms, "warn", warned.append)
    check(config(contrast_weight=0.0, contrast_temperature=0.1, contrast_momentum=0.9))
    flags = "--contrast-temperature, --contrast-momentum"
    assert warned == [f"no effect with --contrast-weight 0: {flags}"]


def test_the_defaults_of_words_are_those_of_wu_and_dredze():
    assert temperature(config()) == 0.2 and temperature(config(**WORDS)) == 0.1
    assert temperature(config(contrast_temperature=0.2, **WORDS)) == 0.2
    assert link_settings(config()) is None
    assert link_settings(config(**WORDS)) == LinkSettings("links", "words", "first", False, "en")
    assert point_settings(config(**WORDS)) is None
    held = point_settings(config(**WORDS, anchor_weight=1.0, contrast_target_language="tr"))
    assert held == PointSettings(words=False, special_tokens=True, target_language="tr")
