"""The settings of the task ``cross_lingual_alignment``."""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, List, Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from omegaconf import II, MISSING

from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.layout import PAIR_POSITIONS, PAIR_SPECIALS
from fairseq_amber.errors import UserError, warn
from fairseq_amber.tasks.retrieval_validation import check_best_metric

SHORTEST_ROW = PAIR_SPECIALS + 2


@dataclass
class CrossLingualAlignmentConfig(FairseqDataclass):
    """Flags of the task: where the text is, and how it is sampled and masked."""

    data: str = field(
        default=MISSING,
        metadata={
            "help": "folder with dict.txt, mono/ and parallel/ (fairseq-amber prepare), or several "
            "folders separated by colons: each epoch trains on the next, the first one validates"
        },
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
            "help": "sample a language with a share p of all sentences in proportion to p^alpha, "
            "and a pair with a share p of all pairs in the same way; 1 keeps the shares, "
            "0 makes them equal (mBERT: 0.7)"
        },
    )
    parallel_share: float = field(
        default=0.5,
        metadata={
            "help": "share of the examples of every update that are pairs, if there are both kinds "
            "of text: 0.75 = three pairs for each sentence; it says how much text is seen, and the "
            "criterion's weights what a term counts; the share of tokens follows from the lengths "
            "and is in the log; an epoch is one pass over the pairs (AMBER: not known)"
        },
    )
    update_tokens: Optional[int] = field(
        default=None,
        metadata={
            "help": "largest number of tokens in an update, counted as --max-tokens counts them, "
            "over all GPUs; the number of steps follows from it, from --max-tokens and from the "
            "number of GPUs, and changes nothing else (default: --max-tokens x --update-freq x "
            "GPUs)"
        },
    )
    update_examples: Optional[int] = field(
        default=None,
        metadata={
            "help": "number of sentences and pairs in an update, over all GPUs, in place of "
            "--update-tokens (AMBER: 2048)"
        },
    )
    sentence_rows: ChoiceEnum(  # type: ignore[valid-type]
        ["line", "block", "document"]
    ) = field(
        default="line",
        metadata={
            "help": "monolingual rows: line: one line each; block: as many consecutive lines as "
            "fit into --tokens-per-sample (RoBERTa, XLM-R, XLM); document: block, but an empty "
            "line ends a document and its row"
        },
    )
    sentence_segments: bool = field(
        default=False,
        metadata={
            "help": "a monolingual row of several lines is cut into two segments at a random line, "
            "for a model with token types (BERT, without its prediction of the next sentence); "
            "needs --sentence-rows document"
        },
    )
    tokens_per_sample: int = field(
        default=512,
        metadata={
            "help": "longest row in subwords, special tokens included, at most the model's "
            "--max-positions; longer sentences are cut; a pair is left out if the row of both "
            "sentences is longer, or, where no term reads them in one row, that of either sentence"
        },
    )
    mask_prob: float = field(
        default=0.15, metadata={"help": "share of the tokens that are predicted (BERT: 0.15)"}
    )
    leave_unmasked_prob: float = field(
        default=0.1,
        metadata={"help": "share of the predicted tokens that stay as they are (BERT: 0.1)"},
    )
    random_token_prob: float = field(
        default=0.1,
        metadata={"help": "share of the predicted tokens that become a random token (BERT: 0.1)"},
    )
    whole_word_masking: bool = field(
        default=False,
        metadata={
            "help": "predict whole words of a SentencePiece or WordPiece vocabulary, in random "
            "order, as many as fit into the row's --mask-prob of tokens (the loss is divided by "
            "the full share); if no word fits, single tokens are predicted; in scripts written "
            "without spaces each subword is a word (BERT: off in its first release)"
        },
    )
    word_boundaries: ChoiceEnum(  # type: ignore[valid-type]
        ["spaces", "punctuation", "moses"]
    ) = field(
        default="punctuation",
        metadata={
            "help": "where the words of --whole-word-masking and --ot-points words end: "
            "punctuation: at spaces and marks of punctuation, which are words of their own (BERT); "
            "spaces: at spaces; moses: Moses' tokens (arXiv 2110.02887); moses, and spaces with "
            "WordPiece, need fairseq-amber prepare --word-boundaries"
        },
    )
    pair_order: ChoiceEnum(["both", "given"]) = field(  # type: ignore[valid-type]
        default="both",
        metadata={
            "help": "rows of translation language modelling: both: source first or target first, "
            "by a coin of the example (XLM); given: always source first"
        },
    )
    pair_positions: ChoiceEnum(PAIR_POSITIONS) = field(  # type: ignore[valid-type]
        default="continuous",
        metadata={
            "help": "continuous: positions of a pair's second sentence follow those of the first "
            "(BERT); xlm: its first word has position 1, as in a row of its own (XLM); restart: "
            "position 0 (AMBER: not known)"
        },
    )
    pair_segments: ChoiceEnum(["auto", "none"]) = field(  # type: ignore[valid-type]
        default="auto",
        metadata={
            "help": "auto: a model with token types tells a pair's two sentences apart by them "
            "(BERT); none: token types are not used"
        },
    )
    validate_retrieval: int = field(
        default=0,
        metadata={
            "help": "in validation, also log the retrieval accuracy (percent) of at most N pairs "
            "of each corpus, in both directions, as retrieval; without N, 1000; 0 = off",
            "argparse_const": 1000,
        },
    )
    seed: int = II("common.seed")
    update_freq: Any = II("optimization.update_freq")
    train_subset: str = II("dataset.train_subset")
    valid_subset: str = II("dataset.valid_subset")
    disable_validation: bool = II("dataset.disable_validation")
    best_checkpoint_metric: str = II("checkpoint.best_checkpoint_metric")
    maximize_best_checkpoint_metric: bool = II("checkpoint.maximize_best_checkpoint_metric")


def check_settings(cfg: CrossLingualAlignmentConfig) -> None:
    """Checks the settings.

    Raises:
        UserError: a setting is out of its range, or two settings exclude each other.
    """
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
    if cfg.tokens_per_sample < SHORTEST_ROW:
        raise UserError(
            f"--tokens-per-sample {cfg.tokens_per_sample} is less than {SHORTEST_ROW}, the length "
            "of a pair of one token each with its special tokens"
        )
    _check_update_size(cfg)
    if cfg.sentence_segments and cfg.sentence_rows != "document":
        raise UserError(
            "--sentence-segments cuts a row of several lines of one document in two: add "
            "--sentence-rows document"
        )
    freqs = [cfg.update_freq] if isinstance(cfg.update_freq, int) else list(cfg.update_freq)
    if not freqs or min(freqs) < 1:
        raise UserError(f"--update-freq {','.join(map(str, freqs))} is not 1 or more")
    if cfg.leave_unmasked_prob + cfg.random_token_prob > 1:
        raise UserError("--leave-unmasked-prob and --random-token-prob add up to more than 1")
    if cfg.validate_retrieval and cfg.train_subset in cfg.valid_subset.split(","):
        raise UserError(
            "--validate-retrieval does not measure the training text, but --valid-subset is "
            f"{cfg.valid_subset}; leave {cfg.train_subset} out of it"
        )
    check_best_metric(
        cfg.validate_retrieval, cfg.best_checkpoint_metric, cfg.maximize_best_checkpoint_metric
    )


def _check_update_size(cfg: CrossLingualAlignmentConfig) -> None:
    """Raises UserError unless the size of an update is stated once, and above 0."""
    for name in ("update_tokens", "update_examples"):
        value = getattr(cfg, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} {value} is not 1 or more")
    if cfg.update_tokens is not None and cfg.update_examples is not None:
        raise UserError("--update-tokens and --update-examples: both state one size; drop either")


def warn_of_unread(cfg: CrossLingualAlignmentConfig, needs: Needs) -> None:
    """Warns of settings that were given for text, rows or masks that no term reads. They are no
    errors, because runs with other criterions share their settings."""
    masked = needs.mlm or needs.tlm
    unread = {
        "monolingual text": () if needs.mlm else ("languages", "sentence_rows"),
        "both kinds of text": () if needs.mlm and needs.pairs else ("parallel_share",),
        "pairs": () if needs.pairs else ("pairs",),
        "rows of both sentences": () if needs.rows_per_pair else _OF_PAIR_ROWS,
        "masked pairs": () if needs.tlm or not needs.rows_per_pair else ("pair_order",),
        "masked tokens": () if masked else _OF_MASKS,
    }
    defaults = {flag.name: flag.default for flag in fields(CrossLingualAlignmentConfig)}
    for what, names in unread.items():
        given = [name for name in names if getattr(cfg, name) != defaults[name]]
        if given:
            flags = ", ".join("--" + name.replace("_", "-") for name in given)
            warn(f"no effect, because no term of this criterion reads {what}: {flags}")


_OF_PAIR_ROWS = ("pair_order", "pair_positions", "pair_segments")
_OF_MASKS = ("mask_prob", "leave_unmasked_prob", "random_token_prob")


def data_folders(cfg: CrossLingualAlignmentConfig) -> List[Path]:
    """Returns the data folders, at least one.

    Raises:
        UserError: the name of a folder is empty.
    """
    names = cfg.data.split(os.pathsep)
    if not all(names):
        raise UserError(
            f"the data folders {cfg.data!r} have an empty name: separate them by one {os.pathsep} "
            "each, and put none at the ends"
        )
    return list(map(Path, names))
