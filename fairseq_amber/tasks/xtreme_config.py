"""The settings of the tasks ``xtreme_tagging``, ``xtreme_classification`` and ``xtreme_qa``."""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field
from typing import Any, Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from omegaconf import II, MISSING


@dataclass
class XtremeConfig(FairseqDataclass):
    """Which examples, and how long their rows are."""

    data: str = field(
        default=MISSING,
        metadata={"help": "a prepared task (fairseq-amber prepare-task)"},
    )
    train_languages: str = field(
        default="en",
        metadata={"help": "comma-separated languages to train on, all their examples (XTREME: en)"},
    )
    valid_languages: str = field(
        default="en",
        metadata={
            "help": "comma-separated languages to validate on, all examples counted alike; what "
            "selects a checkpoint must not be a language that it is tested on (XTREME: en)"
        },
    )
    max_length: int = field(
        default=128,
        metadata={
            "help": "longest row in subwords, special tokens included, at most the model's "
            "--max-positions; longer sentences are split between words, longer pairs cut "
            "(XTREME: 128)"
        },
    )
    seed: int = II("common.seed")
    update_freq: Any = II("optimization.update_freq")
    train_subset: str = II("dataset.train_subset")
    disable_validation: bool = II("dataset.disable_validation")
    finetune_from_model: Optional[str] = II("checkpoint.finetune_from_model")
    restore_file: str = II("checkpoint.restore_file")
    save_dir: str = II("checkpoint.save_dir")


@dataclass
class XtremePairConfig(XtremeConfig):
    """Also how the two parts of a row are told apart."""

    pair_positions: ChoiceEnum(["continuous", "reset"]) = field(  # type: ignore[valid-type]
        default="continuous",
        metadata={
            "help": "positions of a row's second part go on from the first's (BERT), or start at 0 "
            "again (XLM)"
        },
    )
    pair_segments: ChoiceEnum(["auto", "none"]) = field(  # type: ignore[valid-type]
        default="auto",
        metadata={
            "help": "auto: a model that has token types tells a row's two parts apart by them "
            "(BERT); none: it does not"
        },
    )


@dataclass
class XtremeQaConfig(XtremePairConfig):
    """Also the windows over a context."""

    max_length: int = field(
        default=384,
        metadata={
            "help": "longest row in subwords, question and special tokens included, at most the "
            "model's --max-positions; longer contexts are read through windows (XTREME: 384)"
        },
    )
    doc_stride: int = field(
        default=128,
        metadata={"help": "subwords from the beginning of a window to the next (XTREME: 128)"},
    )
    max_query_length: int = field(
        default=64,
        metadata={"help": "longer questions are cut to so many subwords (XTREME: 64)"},
    )
