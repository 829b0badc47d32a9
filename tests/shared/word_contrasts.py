"""Settings of the contrast of words that every kind of step is tried with."""

from fairseq_amber.criterions.contrastive_config import ContrastiveAlignmentConfig


def word_contrasts(start):
    """With an anchor at the checkpoint that ``start`` names, and with a projection."""
    words = dict(_name="contrastive_alignment", contrast_units="words")
    return {
        "contrast of words": ContrastiveAlignmentConfig(**words, **start, anchor_weight=0.1),
        "contrast of words of both sides": ContrastiveAlignmentConfig(
            **words,
            mlm_weight=0.0,
            tlm_weight=0.0,
            contrast_negatives="strong",
            contrast_projection=8,
            contrast_projection_layers=2,
        ),
    }
