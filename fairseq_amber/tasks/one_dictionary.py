"""What all tasks here share: one dictionary for all languages, and a longest row."""

from __future__ import annotations

from typing import Any

from fairseq.data import Dictionary
from fairseq.tasks import FairseqTask


class OneDictionaryTask(FairseqTask):
    """A task that reads and predicts the symbols of one dictionary.

    Attributes:
        model, criterion: what it has built last; None before.
        max_length: longest row in subwords, special tokens included.
    """

    def __init__(self, cfg: Any, dictionary: Dictionary, max_length: int):
        super().__init__(cfg)
        self.dictionary = dictionary
        self.model: Any = None
        self.criterion: Any = None
        self.max_length = max_length

    @property
    def source_dictionary(self) -> Dictionary:
        """The one dictionary of all languages, ``<mask>`` included."""
        return self.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        """The same."""
        return self.dictionary

    def max_positions(self) -> int:
        """Longest row in subwords."""
        return self.max_length


def update_freq_of_epoch(update_freq: Any, epoch: int) -> int:
    """fairseq's --update-freq: one number, or one for each epoch, the last for all that follow."""
    if isinstance(update_freq, int):
        return update_freq
    values = list(update_freq)
    return int(values[min(epoch, len(values)) - 1])
