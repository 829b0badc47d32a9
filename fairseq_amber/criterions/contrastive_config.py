"""The flags of the criterion ``contrastive_alignment``, and the checks of their values."""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field, fields
from typing import Optional

from fairseq.dataclass import ChoiceEnum

from fairseq_amber.criterions import anchor
from fairseq_amber.criterions.terms import warn_of_left_out
from fairseq_amber.data.alignment.needs import LinkSettings, PointSettings
from fairseq_amber.errors import UserError

MOST = 2**31 - 1  # of dimensions, and of sentences in the queue: no machine holds more


@dataclass
class ContrastiveAlignmentConfig(anchor.AnchorConfig):
    """The weights of the terms, and the vectors and candidates of the contrastive loss."""

    mlm_weight: float = field(
        default=1.0,
        metadata={"help": "weight of masked language modelling; 0 = left out (InfoXLM: 1)"},
    )
    tlm_weight: float = field(
        default=1.0,
        metadata={"help": "weight of translation language modelling; 0 = left out (InfoXLM: 1)"},
    )
    contrast_weight: float = field(
        default=1.0,
        metadata={"help": "weight of the contrastive loss; 0 = left out (InfoXLM: 1)"},
    )
    anchor_weight: float = field(
        default=0.0,
        metadata={
            "help": "with --contrast-units words, weight of the anchor: the squared distance "
            "between the states of all tokens of target sentences and their states in the initial "
            "encoder; 0 = left out (Wu and Dredze 2020: 0, with a regulariser of the parameters)"
        },
    )
    contrast_units: ChoiceEnum(["sentences", "words"]) = field(  # type: ignore[valid-type]
        default="sentences",
        metadata={
            "help": "what chooses its translation: sentences (InfoXLM), or words, which "
            "--contrast-links link (Wu and Dredze 2020); words are always compared by their cosine "
            "and choose in both directions"
        },
    )
    contrast_links: Optional[str] = field(
        default=None,
        metadata={
            "help": "required by --contrast-units words: folder with a file "
            "<split>.<src>-<tgt>.align for each language pair and split, one line in Pharaoh "
            "format (0-0 1-2) for each sentence pair of the binarised corpus; only one-to-one "
            "links are used"
        },
    )
    contrast_link_units: ChoiceEnum(["words", "subwords"]) = field(  # type: ignore[valid-type]
        default="words",
        metadata={
            "help": "the units that links number, from 0: words between spaces, or subwords of "
            "the binarised sentence (fairseq-amber align --units)"
        },
    )
    contrast_negatives: ChoiceEnum(["weak", "strong"]) = field(  # type: ignore[valid-type]
        default="weak",
        metadata={
            "help": "with --contrast-units words, the negatives of a word: weak: the linked words "
            "of the other side; strong: those of both sides (Wu and Dredze 2020 have both; "
            "default: weak)"
        },
    )
    contrast_subword: ChoiceEnum(["first", "last"]) = field(  # type: ignore[valid-type]
        default="first",
        metadata={
            "help": "the subword whose state is that of a word (default: first, as in Wu and "
            "Dredze 2020's code; Cao et al. 2020: last)"
        },
    )
    contrast_target_language: str = field(
        default="en",
        metadata={
            "help": "with --contrast-units words, the language of the target side, which the "
            "words of all other languages choose from (Wu and Dredze 2020: all pairs have en); in "
            "a pair without it, the second side"
        },
    )
    contrast_layer: Optional[int] = field(
        default=None,
        metadata={
            "help": "layer of the vectors, counted from 1; -1 = last (default: at two thirds of "
            "the model's depth; InfoXLM: 8 of 12, and 12 of 24; with --contrast-units words the "
            "last, as Wu and Dredze 2020)"
        },
    )
    contrast_pooling: ChoiceEnum(["cls", "mean"]) = field(  # type: ignore[valid-type]
        default="cls",
        metadata={"help": "sentence vector: the state of <s> (InfoXLM), or the mean of the states"},
    )
    contrast_skip_special_tokens: bool = field(
        default=False, metadata={"help": "leave <s> and </s> out of the mean of a sentence"}
    )
    contrast_projection: int = field(
        default=0,
        metadata={
            "help": "dimension to which a trained matrix projects vectors, only for the "
            "contrastive loss; 0 = no projection (InfoXLM: the model's dimension; Wu and Dredze "
            "2020's code: 128)"
        },
    )
    contrast_projection_layers: int = field(
        default=1,
        metadata={
            "help": "1: the projection is a matrix (InfoXLM); 2: a matrix of the model's "
            "dimension, ReLU, and a matrix (Wu and Dredze 2020's code)"
        },
    )
    contrast_temperature: Optional[float] = field(
        default=None,
        metadata={
            "help": "temperature that divides the similarities (default: 0.2 as in InfoXLM; with "
            "--contrast-units words 0.1, as in Wu and Dredze 2020's code)"
        },
    )
    contrast_normalize: bool = field(
        default=False,
        metadata={"help": "compare sentences by their cosine (InfoXLM: dot product)"},
    )
    contrast_symmetric: bool = field(
        default=False,
        metadata={
            "help": "targets choose among sources too, and the loss is the mean of both directions "
            "(InfoXLM: one direction)"
        },
    )
    contrast_momentum: float = field(
        default=0.0,
        metadata={
            "help": "m of the momentum encoder, a copy of the model that encodes the candidates: "
            "at each update its weights k become m k + (1 - m) q, with the model's weights q; "
            "0 = the model itself encodes them, with gradient (InfoXLM: 0.9999)"
        },
    )
    contrast_queue: int = field(
        default=0,
        metadata={
            "help": "how many candidates of past updates to choose among in addition; needs "
            "--contrast-momentum (InfoXLM: 131072)"
        },
    )
    contrast_candidates: ChoiceEnum(["update", "step", "rank"]) = field(  # type: ignore[valid-type]
        default="update",
        metadata={
            "help": "candidates of a sentence or word: those of the whole update (all GPUs and all "
            "micro-batches of --update-freq), of one step of all GPUs, or of one step of one GPU "
            "(Wu and Dredze 2020 have one GPU and one step); with --contrast-momentum always those "
            "of the update"
        },
    )


def check(cfg: ContrastiveAlignmentConfig) -> None:
    """Raises UserError where a setting is out of its range or cannot go with another; warns of
    settings of the contrastive loss if its weight is 0."""
    warn_of_left_out(cfg, "contrast", _OWN)
    if not 0 < temperature(cfg) < float("inf"):
        raise UserError(
            f"--contrast-temperature {cfg.contrast_temperature} is not a finite number above 0"
        )
    for name in ("contrast_projection", "contrast_queue"):
        value, flag = getattr(cfg, name), "--" + name.replace("_", "-")
        if value < 0:
            raise UserError(f"{flag} {value} is less than 0")
        if value > MOST:
            raise UserError(f"{flag} {value} is more than {MOST}")
    if cfg.contrast_projection_layers not in (1, 2):
        raise UserError(
            f"--contrast-projection-layers {cfg.contrast_projection_layers} is neither 1 nor 2"
        )
    if cfg.contrast_projection_layers == 2 and not cfg.contrast_projection:
        raise UserError(
            "--contrast-projection-layers 2 has no effect without --contrast-projection"
        )
    if not 0 <= cfg.contrast_momentum < 1:
        raise UserError(f"--contrast-momentum {cfg.contrast_momentum} is not in [0, 1)")
    if cfg.contrast_queue and not cfg.contrast_momentum:
        raise UserError(
            f"--contrast-queue {cfg.contrast_queue} without a momentum encoder: only its "
            "encodings stay comparable from update to update; add --contrast-momentum 0.9999, or "
            "drop the queue"
        )
    if cfg.contrast_momentum and cfg.contrast_candidates != "update":
        raise UserError(
            f"--contrast-candidates {cfg.contrast_candidates} has no effect on --contrast-momentum,"
            " whose candidates are those of the update: drop either"
        )
    unused = _NOT_OF_WORDS if cfg.contrast_units == "words" else _OF_WORDS
    for name, default in unused.items():
        if getattr(cfg, name) != default:
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"{flag} has no effect on --contrast-units {cfg.contrast_units}: drop either"
            )
    if cfg.contrast_units == "words":
        _check_words(cfg)
    else:
        anchor.check_unused(cfg)
        if cfg.contrast_skip_special_tokens and cfg.contrast_pooling != "mean":
            raise UserError(
                "--contrast-skip-special-tokens has no effect on --contrast-pooling "
                f"{cfg.contrast_pooling}: drop either"
            )


def _check_words(cfg: ContrastiveAlignmentConfig) -> None:
    """Raises UserError where a setting of words is missing or cannot go with another."""
    if not cfg.contrast_weight:
        raise UserError("--contrast-units words has no effect without --contrast-weight")
    if cfg.contrast_links is None:
        raise UserError(
            "--contrast-units words: --contrast-links names the folder with the word links, "
            "<split>.<src>-<tgt>.align, which fairseq-amber align writes: add it"
        )
    if cfg.contrast_link_units == "subwords" and cfg.contrast_subword != "first":
        raise UserError(
            "--contrast-subword has no effect on --contrast-link-units subwords: drop either"
        )
    anchor.check_of_points(cfg)


def temperature(cfg: ContrastiveAlignmentConfig) -> float:
    """Returns the temperature, which by default depends on the units."""
    if cfg.contrast_temperature is not None:
        return cfg.contrast_temperature
    return 0.1 if cfg.contrast_units == "words" else 0.2


def link_settings(cfg: ContrastiveAlignmentConfig) -> Optional[LinkSettings]:
    """Returns which links a batch has to hold; None for sentences."""
    if cfg.contrast_units == "sentences":
        return None
    return LinkSettings(
        str(cfg.contrast_links),
        units=str(cfg.contrast_link_units),
        subword=str(cfg.contrast_subword),
        target_language=cfg.contrast_target_language,
    )


def point_settings(cfg: ContrastiveAlignmentConfig) -> Optional[PointSettings]:
    """Returns the points that the anchor holds: all tokens of target sentences; None without
    it."""
    if not cfg.anchor_weight:
        return None
    return PointSettings(
        words=False, special_tokens=True, target_language=cfg.contrast_target_language
    )


def _defaults(*names: str) -> dict:
    """Returns the defaults of these fields."""
    known = {flag.name: flag.default for flag in fields(ContrastiveAlignmentConfig)}
    return {name: known[name] for name in names}


_OWN = _defaults(
    *(
        flag.name
        for flag in fields(ContrastiveAlignmentConfig)
        if flag.name.startswith("contrast_") and flag.name != "contrast_weight"
    )
)
_OF_WORDS = _defaults(
    "contrast_links",
    "contrast_link_units",
    "contrast_negatives",
    "contrast_subword",
    "contrast_target_language",
    "anchor_weight",
)
_NOT_OF_WORDS = _defaults(
    "contrast_pooling", "contrast_skip_special_tokens", "contrast_momentum", "contrast_queue"
)
