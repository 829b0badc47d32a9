"""A package that is not installed is said at the start, with the command that installs it."""

import sys

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.sentence_space import import_sklearn
from fairseq_amber.evaluation.report.space_flags import sentence_planes
from fairseq_amber.files.pictures import import_matplotlib


@pytest.mark.parametrize(
    "module, needed",
    [
        ("sklearn.decomposition", "--space needs scikit-learn; pip install scikit-learn"),
        ("matplotlib.figure", "matplotlib is missing; pip install matplotlib"),
    ],
)
def test_what_the_picture_of_sentences_needs(monkeypatch, module, needed):
    """A report embedded the sentences with every checkpoint before it missed scikit-learn."""
    import_sklearn()
    import_matplotlib()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=needed):
        sentence_planes(None, {})  # not even the flags have been looked at
