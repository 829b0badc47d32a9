"""The settings of the task ``cross_lingual_alignment``."""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field
from typing import Any, Optional

from fairseq.dataclass import FairseqDataclass
from omegaconf import II, MISSING

from fairseq_amber.errors import UserError


@dataclass
class CrossLingualAlignmentConfig(FairseqDataclass):
    """Where the text is, and how it is sampled and masked."""

    data: str = field(
        default=MISSING,
        metadata={"help": "folder with dict.txt, mono/ and parallel/ (fairseq-amber prepare)"},
    )
    languages: Optional[str] = field(
        default=None,
        metadata={"help": "comma-separated languages of mono/ to train on (default: all)"},
    )
    pairs: Optional[str] = field(
        default=None,
        metadata={"help": "comma-separated pairs of parallel/ to train on (default: all)"},
    )
    multilang_sampling_alpha: float = field(
        default=0.7,
        metadata={
            "help": "a corpus with a share p of the examples of its kind is sampled with p^alpha, "
            "among languages and among pairs; 1 = as they are, 0 = equally often (mBERT: 0.7)"
        },
    )
    parallel_share: float = field(
        default=0.5,
        metadata={
            "help": "share of steps that train on pairs, where there are both kinds of text; the "
            "epoch is one pass over the pairs (AMBER: not known)"
        },
    )
    tokens_per_sample: int = field(
        default=512,
        metadata={
            "help": "longest row in subwords, special tokens included, at most the model's "
            "--max-positions; longer sentences are cut, longer pairs left out"
        },
    )
    mask_prob: float = field(
        default=0.15, metadata={"help": "share of tokens that are predicted (BERT: 0.15)"}
    )
    leave_unmasked_prob: float = field(
        default=0.1, metadata={"help": "share of predicted tokens left as they are (BERT: 0.1)"}
    )
    random_token_prob: float = field(
        default=0.1,
        metadata={"help": "share of predicted tokens replaced by a random one (BERT: 0.1)"},
    )
    seed: int = II("common.seed")
    update_freq: Any = II("optimization.update_freq")


def check(cfg: CrossLingualAlignmentConfig) -> None:
    """Raises UserError where a setting is out of its range."""
    for name, low, high in (
        ("parallel_share", 0.0, 1.0),
        ("mask_prob", 0.0, 1.0),
        ("leave_unmasked_prob", 0.0, 1.0),
        ("random_token_prob", 0.0, 1.0),
        ("multilang_sampling_alpha", 0.0, 1.0),
    ):
        value = getattr(cfg, name)
        outside = not low <= value <= high or (name == "parallel_share" and value in (0.0, 1.0))
        if outside:
            flag = "--" + name.replace("_", "-")
            remedy = (
                "; to leave one kind of text out, set its criterion weights to 0"
                if name == "parallel_share"
                else ""
            )
            raise UserError(f"{flag} {value} is not between {low:g} and {high:g}{remedy}")
    if cfg.leave_unmasked_prob + cfg.random_token_prob > 1:
        raise UserError("--leave-unmasked-prob and --random-token-prob add up to more than 1")


def of_epoch(update_freq: Any, epoch: int) -> int:
    """fairseq's --update-freq: one number, or one for each epoch, the last for all that follow."""
    if isinstance(update_freq, int):
        return update_freq
    values = list(update_freq)
    return int(values[min(epoch, len(values)) - 1])
