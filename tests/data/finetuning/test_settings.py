"""The flags of fine-tuning, and the rows that they ask for."""

import pytest

from fairseq_amber.data.finetuning.kinds import KINDS
from fairseq_amber.data.finetuning.learning import learning_of
from fairseq_amber.data.finetuning.settings import (
    RowSettings,
    XtremeConfig,
    XtremePairConfig,
    XtremeQaConfig,
    default_values,
)
from fairseq_amber.data.layout import PairMarks, Specials

SPECIALS = Specials(bos=0, eos=2, pad=1, mask=44)


def test_the_defaults_are_xtremes():
    for config in (XtremeConfig(), XtremePairConfig(), XtremeQaConfig()):
        assert config.max_length == (384 if isinstance(config, XtremeQaConfig) else 128)
        assert config.train_languages == config.valid_languages == "en"
    assert (config.doc_stride, config.max_query_length) == (128, 64)


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_setting_is_a_flag_with_its_default(kind):
    learning = learning_of(KINDS[kind])
    values = default_values(learning.config, learning.row_settings)
    config = learning.config()
    assert values == {name: getattr(config, name) for name in learning.row_settings}


def test_rows_of_some_flags():
    tagging = RowSettings.of(SPECIALS, {"max_length": 9}, True)
    assert (tagging.max_length, tagging.marks) == (9, PairMarks(True, "continuous"))
    flags = {"max_length": 9, "pair_segments": "auto", "pair_positions": "xlm", "doc_stride": 5}
    rows = RowSettings.of(SPECIALS, {**flags, "max_query_length": 3}, True)
    assert rows == RowSettings(SPECIALS, 9, PairMarks(True, "xlm"), 5, 3)
    assert not RowSettings.of(SPECIALS, flags, False).marks.segments  # the model has no token types
    assert not RowSettings.of(SPECIALS, {**flags, "pair_segments": "none"}, True).marks.segments
