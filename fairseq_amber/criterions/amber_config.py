"""The flags of the criterion ``amber``."""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field, fields
from typing import Optional

from fairseq.dataclass import ChoiceEnum

from fairseq_amber.criterions.terms import warn_of_left_out
from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.errors import UserError


@dataclass
class AmberCriterionConfig(TransportConfig):
    """The weights of the terms, and the choices that the paper leaves open."""

    ot_weight: float = field(
        default=0.0,
        metadata={"help": "weight of optimal transport (see ot_alignment); 0 = left out"},
    )
    anchor_weight: float = field(
        default=0.0,
        metadata={
            "help": "weight of the anchor: the squared distance between the states of target "
            "points and their states in the initial encoder; 0 = left out"
        },
    )

    mlm_weight: float = field(
        default=1.0,
        metadata={"help": "weight of masked language modelling; 0 = left out (paper: 1)"},
    )
    tlm_weight: float = field(
        default=1.0,
        metadata={"help": "weight of translation language modelling; 0 = left out (paper: 1)"},
    )
    wa_weight: float = field(
        default=1.0,
        metadata={"help": "weight of bidirectional word alignment; 0 = left out (paper: 1)"},
    )
    sa_weight: float = field(
        default=1.0,
        metadata={"help": "weight of contrastive sentence alignment; 0 = left out (paper: 1)"},
    )
    sa_temperature: float = field(
        default=1.0,
        metadata={"help": "temperature: divides similarities in sentence alignment (paper: 1)"},
    )
    sa_normalize: bool = field(
        default=False,
        metadata={"help": "compare sentences by their cosine (paper: by their dot product)"},
    )
    sa_symmetric: bool = field(
        default=False,
        metadata={
            "help": "targets choose among sources too, and the loss is the mean of both directions "
            "(paper: only sources choose among targets)"
        },
    )
    sa_pooling: ChoiceEnum(["mean", "cls"]) = field(  # type: ignore[valid-type]
        default="mean",
        metadata={"help": "sentence vector: the mean of the states (paper), or the state of <s>"},
    )
    sa_skip_special_tokens: bool = field(
        default=False,
        metadata={"help": "leave <s> and </s> out of the mean of a sentence (paper: not known)"},
    )
    sa_layer: int = field(
        default=-1,
        metadata={"help": "layer of the sentence vectors, counted from 1; -1 = last (paper: last)"},
    )
    sa_candidates: ChoiceEnum(["update", "step", "rank"]) = field(  # type: ignore[valid-type]
        default="update",
        metadata={
            "help": "candidates of a source: the targets of the whole update (all GPUs and all "
            "micro-batches of --update-freq, so that the number of GPUs changes nothing), of one "
            "step of all GPUs, or of one step of one GPU (paper: the mini-batch)"
        },
    )
    sa_negatives: ChoiceEnum(["pair", "update", "all"]) = field(  # type: ignore[valid-type]
        default="update",
        metadata={
            "help": "which of the candidates' sentences a source chooses among: the targets of its "
            "own pair of languages, the targets of all pairs of languages, or all, these and the "
            "monolingual sentences, which are then encoded once more without masks (paper: any "
            "sentence of the mini-batch)"
        },
    )
    wa_layer: int = field(
        default=-1,
        metadata={
            "help": "layer of the aligned attention or states, counted from 1; -1 = last (paper: "
            "last; awesome-align: 8 of 12)"
        },
    )
    wa_map: ChoiceEnum(["attention", "states"]) = field(  # type: ignore[valid-type]
        default="attention",
        metadata={
            "help": "the two maps that are made to agree: attention, the attention between the "
            "sentences in the two passes with the prefix mask; states, softmax in either direction "
            "of the products of word states (paper: its text says attention, its equation products "
            "of states)"
        },
    )
    wa_map_temperature: float = field(
        default=1.0,
        metadata={
            "help": "--wa-map states: temperature, which divides the products (paper and "
            "awesome-align: 1)"
        },
    )
    wa_map_normalize: bool = field(
        default=False,
        metadata={
            "help": "--wa-map states: compare words by their cosine, with a temperature of about "
            "0.1 (paper and awesome-align: by their dot product)"
        },
    )
    wa_map_encoding: ChoiceEnum(["apart", "joint"]) = field(  # type: ignore[valid-type]
        default="apart",
        metadata={
            "help": "--wa-map states: the states of words are those of each sentence by itself "
            "(apart; awesome-align), or of both sentences in one unmasked row with full attention "
            "(joint) (paper: not known)"
        },
    )
    wa_target: ChoiceEnum(["symmetric", "self"]) = field(  # type: ignore[valid-type]
        default="symmetric",
        metadata={
            "help": "symmetric: the maps agree with each other (paper); self, with --wa-map "
            "states: each map gives its probability to the links of both (the self-training of "
            "awesome-align, arXiv 2101.08231; paper: no such target)"
        },
    )
    wa_target_threshold: float = field(
        default=0.001,
        metadata={
            "help": "--wa-target self: a link has more than this probability in both maps "
            "(awesome-align: 0.001)"
        },
    )
    wa_heads: Optional[str] = field(
        default=None,
        metadata={"help": "attention heads to align, such as 0,3,5 (default and paper: all)"},
    )
    wa_include_special_tokens: bool = field(
        default=False,
        metadata={
            "help": "word alignment counts the </s> of each sentence in the trace and in the "
            "length (paper: not known)"
        },
    )
    wa_include_diagonal: bool = field(
        default=False,
        metadata={
            "help": "in the passes of word alignment a token of the second sentence also attends "
            "to itself (paper: only to the tokens before it)"
        },
    )


def check(cfg: AmberCriterionConfig) -> None:
    """Raises UserError where a setting of sentence alignment is out of its range, or reads what
    another one leaves out; warns of settings of terms of weight 0."""
    for term, defaults in _OWN.items():
        warn_of_left_out(cfg, term, defaults)
    if not 0 < cfg.sa_temperature < float("inf"):
        raise UserError(f"--sa-temperature {cfg.sa_temperature} is not a finite number above 0")
    if cfg.sa_skip_special_tokens and cfg.sa_pooling != "mean":
        raise UserError(
            f"--sa-skip-special-tokens has no effect on --sa-pooling {cfg.sa_pooling}: drop either"
        )
    if cfg.sa_weight and cfg.sa_negatives == "all" and not cfg.mlm_weight:
        raise UserError(
            "--sa-negatives all takes the monolingual sentences, which --mlm-weight 0 leaves "
            "out: raise it, or take --sa-negatives update"
        )


_OWN = {
    term: {
        flag.name: flag.default
        for flag in fields(AmberCriterionConfig)
        if flag.name.startswith(f"{term}_") and flag.name != f"{term}_weight"
    }
    for term in ("wa", "sa")
}
