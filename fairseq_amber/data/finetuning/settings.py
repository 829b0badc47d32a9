"""The settings of fine-tuning: which examples are used, and how long their rows are.

XTREME's lengths are defined here and nowhere else.
"""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Type

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from omegaconf import II, MISSING

from fairseq_amber.data.layout import PAIR_POSITIONS, PairMarks, Specials

# In subwords, as scripts/train_*.sh of google-research/xtreme set them.
MAX_LENGTH = 128
MAX_LENGTH_QA = 384
DOC_STRIDE = 128
MAX_QUERY_LENGTH = 64


class RowSettings(NamedTuple):
    """How examples become rows.

    Attributes:
        specials: the ids of the dictionary's special tokens.
        max_length: the longest row in subwords, special tokens included.
        marks: how a model tells the two parts of a row apart.
        doc_stride: the number of subwords from the beginning of one window to the beginning of the
            next.
        max_query_length: the largest number of subwords of a question; longer questions are cut.
    """

    specials: Specials
    max_length: int
    marks: PairMarks = PairMarks()
    doc_stride: int = DOC_STRIDE
    max_query_length: int = MAX_QUERY_LENGTH

    @classmethod
    def of(cls, specials: Specials, values: Mapping[str, Any], token_types: bool) -> "RowSettings":
        """Makes the settings of rows from the values of a task's flags.

        Args:
            specials: the ids of the dictionary's special tokens.
            values: the flags of a task by name; see ``Learning.row_settings``.
            token_types: whether the model has token types.
        """
        names = ("doc_stride", "max_query_length")
        windows = {name: values[name] for name in names if name in values}
        marks = PairMarks.of(values)
        marks = marks._replace(segments=marks.segments and token_types)
        return cls(specials, values["max_length"], marks=marks, **windows)


@dataclass
class XtremeConfig(FairseqDataclass):
    """The flags of every task: the examples, and the length of their rows."""

    data: str = field(
        default=MISSING,
        metadata={"help": "the folder of a prepared task (fairseq-amber prepare-task)"},
    )
    train_languages: str = field(
        default="en",
        metadata={
            "help": "comma-separated languages to train on; all their examples count (XTREME: en)"
        },
    )
    valid_languages: str = field(
        default="en",
        metadata={
            "help": "comma-separated languages to validate on; every example counts alike. A "
            "language that the model is tested on must not select its checkpoint (XTREME: en)"
        },
    )
    max_length: int = field(
        default=MAX_LENGTH,
        metadata={
            "help": "longest row in subwords, special tokens included; at most the model's "
            "--max-positions. Longer sentences are split between words, longer pairs are cut "
            f"(XTREME: {MAX_LENGTH})"
        },
    )
    batch_order: ChoiceEnum(["length", "random"]) = field(  # type: ignore[valid-type]
        default="length",
        metadata={
            "help": "which examples make up an update: length: its micro-batches have examples of "
            "similar length each, from different ranges of length; random: any examples, as "
            "XTREME draws them, which its micro-batches then share out by length; --max-tokens "
            "then counts every example as long as the longest (XTREME: random)"
        },
    )
    seed: int = II("common.seed")
    update_freq: Any = II("optimization.update_freq")
    train_subset: str = II("dataset.train_subset")
    disable_validation: bool = II("dataset.disable_validation")
    finetune_from_model: Optional[str] = II("checkpoint.finetune_from_model")
    restore_file: str = II("checkpoint.restore_file")
    save_dir: str = II("checkpoint.save_dir")
    best_checkpoint_metric: str = II("checkpoint.best_checkpoint_metric")
    maximize_best_checkpoint_metric: bool = II("checkpoint.maximize_best_checkpoint_metric")


@dataclass
class XtremePairConfig(XtremeConfig):
    """The flags of tasks whose rows have two parts: also how the parts are told apart."""

    pair_positions: ChoiceEnum(PAIR_POSITIONS) = field(  # type: ignore[valid-type]
        default="continuous",
        metadata={
            "help": "continuous: the positions of a row's second part go on from the first's "
            "(BERT); xlm: its first word has position 1, as in a row of its own; restart: position "
            "0"
        },
    )
    pair_segments: ChoiceEnum(["auto", "none"]) = field(  # type: ignore[valid-type]
        default="auto",
        metadata={
            "help": "auto: a model that has token types tells a row's two parts apart by them "
            "(BERT); none: token types are not used"
        },
    )


@dataclass
class XtremeQaConfig(XtremePairConfig):
    """The flags of question answering: also the windows over a context."""

    max_length: int = field(
        default=MAX_LENGTH_QA,
        metadata={
            "help": "longest row in subwords, question and special tokens included; at most the "
            "model's --max-positions. Longer contexts are read through windows "
            f"(XTREME: {MAX_LENGTH_QA})"
        },
    )
    doc_stride: int = field(
        default=DOC_STRIDE,
        metadata={
            "help": "subwords from the beginning of one window to the beginning of the next "
            f"(XTREME: {DOC_STRIDE})"
        },
    )
    max_query_length: int = field(
        default=MAX_QUERY_LENGTH,
        metadata={
            "help": "largest number of subwords of a question; longer questions are cut "
            f"(XTREME: {MAX_QUERY_LENGTH})"
        },
    )


def default_values(config: Type[XtremeConfig], names: Iterable[str]) -> Dict[str, Any]:
    """Returns the defaults of the named flags of a task, by name."""
    return {name: config.__dataclass_fields__[name].default for name in names}
