"""The flags of the criterion ``amber``."""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass import ChoiceEnum

from fairseq_amber.criterions.transport_config import TransportConfig


@dataclass
class AmberCriterionConfig(TransportConfig):
    """Weights of the terms, and the choices that the paper leaves open."""

    ot_weight: float = field(
        default=0.0,
        metadata={"help": "weight of optimal transport, see --criterion ot_alignment; 0: left out"},
    )
    anchor_weight: float = field(
        default=0.0,
        metadata={
            "help": "weight of the squared distance of target points from what the initial encoder "
            "makes of them; 0 leaves it out"
        },
    )

    mlm_weight: float = field(
        default=1.0,
        metadata={"help": "weight of masked language modelling; 0 leaves it out (paper: 1)"},
    )
    tlm_weight: float = field(
        default=1.0,
        metadata={"help": "weight of translation language modelling; 0 leaves it out (paper: 1)"},
    )
    wa_weight: float = field(
        default=1.0,
        metadata={"help": "weight of bidirectional word alignment; 0 leaves it out (paper: 1)"},
    )
    sa_weight: float = field(
        default=1.0,
        metadata={"help": "weight of contrastive sentence alignment; 0 leaves it out (paper: 1)"},
    )
    sa_temperature: float = field(
        default=1.0,
        metadata={"help": "divides the similarities of sentence alignment (paper: none, i.e. 1)"},
    )
    sa_normalize: bool = field(
        default=False,
        metadata={"help": "cosine in place of the paper's raw dot product in sentence alignment"},
    )
    sa_symmetric: bool = field(
        default=False,
        metadata={
            "help": "also let targets find their sources, and take the mean of both directions "
            "(paper: sources find their targets only)"
        },
    )
    sa_pooling: ChoiceEnum(["mean", "cls"]) = field(  # type: ignore[valid-type]
        default="mean",
        metadata={"help": "sentence vector: mean of the states (paper), or the state of <s>"},
    )
    sa_skip_special_tokens: bool = field(
        default=False,
        metadata={"help": "leave <s> and </s> out of a sentence's mean (paper: not known)"},
    )
    sa_layer: int = field(
        default=-1,
        metadata={"help": "layer of the sentence vectors, from 1; -1 = the last (paper: last)"},
    )
    sa_candidates: ChoiceEnum(["update", "step", "rank"]) = field(  # type: ignore[valid-type]
        default="update",
        metadata={
            "help": "targets that a source chooses among: those of the whole update, over all GPUs "
            "and --update-freq, so that the cut changes nothing; of one step of all GPUs; or of "
            "one GPU's step alone (paper: the mini-batch)"
        },
    )
    wa_layer: int = field(
        default=-1,
        metadata={"help": "layer whose attention is aligned, from 1; -1 = the last (paper: last)"},
    )
    wa_heads: Optional[str] = field(
        default=None,
        metadata={"help": "comma-separated heads to align, from 0 (default, as in the paper: all)"},
    )
    wa_include_special_tokens: bool = field(
        default=False,
        metadata={
            "help": "count the </s> of each sentence in the trace and in the lengths of word "
            "alignment (paper: not known)"
        },
    )
    wa_include_diagonal: bool = field(
        default=False,
        metadata={
            "help": "in word alignment's masked passes a token of the second sentence also attends "
            "to itself (paper: to the tokens before it only)"
        },
    )
