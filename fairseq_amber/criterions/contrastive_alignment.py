"""The criterion ``contrastive_alignment``: MLM, TLM and a contrastive loss of sentence vectors.

It is that of InfoXLM (Chi et al. 2021, arXiv 2007.07834), section 3.2, with ``--contrast-momentum``
and ``--contrast-queue``. Without them, a sentence chooses among the translations of its update.
"""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq.criterions import register_criterion
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import nn

from fairseq_amber.criterions.contrastive_term import contrastive_term
from fairseq_amber.criterions.encoded_sentences import encode_block
from fairseq_amber.criterions.momentum import (
    MomentumContrast,
    MomentumEncoder,
    PairQueue,
    encode_sides,
)
from fairseq_amber.criterions.pairs import Pairs, key_rows
from fairseq_amber.criterions.terms import Terms, TermsCriterion, log_mean, reduce_terms
from fairseq_amber.criterions.unread_parameters import empty_vectors, zero_from
from fairseq_amber.criterions.update_pairs import UpdatePairs, is_contrasted, own_sentences
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.errors import UserError, exit_clearly, warn
from fairseq_amber.models.layer_number import layer_number
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.precision import at_least_fp32
from fairseq_amber.objectives.sentence_alignment import POOLINGS


@dataclass
class ContrastiveAlignmentConfig(FairseqDataclass):
    """The weights of the terms, and the sentence vectors and candidates of the contrastive loss."""

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
    contrast_layer: Optional[int] = field(
        default=None,
        metadata={
            "help": "layer of the sentence vectors, counted from 1; -1 = last (default: at two "
            "thirds of the model's depth; InfoXLM: 8 of 12, and 12 of 24)"
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
            "help": "dimension to which a trained matrix projects sentence vectors, only for the "
            "contrastive loss; 0 = no projection (InfoXLM: the model's dimension)"
        },
    )
    contrast_temperature: float = field(
        default=0.2, metadata={"help": "temperature that divides the similarities (InfoXLM: 0.2)"}
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
            "help": "candidates of a sentence: the translations of the whole update (all GPUs and "
            "all micro-batches of --update-freq), of one step of all GPUs, or of one step of one "
            "GPU; with --contrast-momentum always those of the update"
        },
    )


@register_criterion("contrastive_alignment", dataclass=ContrastiveAlignmentConfig)
class ContrastiveAlignmentCriterion(TermsCriterion):
    """``loss = sum_t weight_t * sum_t / count_t``, a weighted sum of means.

    ``count_t`` is the number of predicted tokens for MLM and TLM, and of sentence pairs for the
    contrastive loss ``-log exp(s_ii) / sum_j exp(s_ij)``, ``s_ij = <x_i, y_j> / temperature``. It
    is counted over the whole update, as in the criterion ``amber``.

    With a checkpoint of another criterion, training starts with a freshly initialised projection,
    with the model of the checkpoint as momentum encoder, and with an empty queue.
    """

    term_names = ("mlm", "tlm", "contrast")

    @exit_clearly
    def __init__(self, task, cfg: ContrastiveAlignmentConfig):
        super().__init__(task, cfg)
        _check(cfg)
        depth = task.model.depth
        layer = (2 * depth + 2) // 3 if cfg.contrast_layer is None else cfg.contrast_layer
        self.layer = layer_number("--contrast-layer", layer, depth)
        self.pool = POOLINGS[cfg.contrast_pooling]
        self.candidates = "update" if cfg.contrast_momentum else cfg.contrast_candidates
        self.update_pairs = UpdatePairs()
        self.projection: Optional[nn.Linear] = None
        # Checkpoints hold the state of momentum contrast under the keys ``past.*``.
        self.past: Optional[MomentumContrast] = None
        if cfg.contrast_weight:
            self._build(cfg.contrast_projection, cfg.contrast_queue)

    def _build(self, projection: int, queue: int) -> None:
        """Builds the projection to ``projection`` dimensions, and momentum contrast."""
        model = self.task.model
        dim = model.encoder.sentence_encoder.embed_tokens.embedding_dim
        self.dim = projection or dim
        if projection:
            self.projection = nn.Linear(dim, projection, bias=False)
            nn.init.normal_(self.projection.weight, std=0.02)
        if self.cfg.contrast_momentum:
            encoder = MomentumEncoder(model, self.projection, self.layer, self.pool)
            kept = projection or dim
            pair_queue = PairQueue(queue, kept if self.cfg.contrast_symmetric else 0, kept)
            self.past = MomentumContrast(encoder, pair_queue, self.cfg.contrast_symmetric)
            if not projection:
                # fairseq saves the state of a criterion only if it has parameters, and wraps it in
                # DDP if one of them is trained. This parameter has no effect and stays 0.
                self.placeholder = nn.Parameter(torch.zeros(1))

    @property
    def needs(self) -> Needs:
        """The parts that a batch must hold."""
        contrasted = self.weights["contrast"] != 0
        return Needs(
            mlm=self.weights["mlm"] != 0,
            tlm=self.weights["tlm"] != 0,
            alignment=False,
            sentences=contrasted,
            include_specials=not self.cfg.contrast_skip_special_tokens,
            update_candidates=contrasted and self.candidates == "update",
        )

    @exit_clearly
    def forward(
        self, model, sample: Dict[str, Any], reduce: bool = True
    ) -> Tuple[torch.Tensor, int, Dict[str, Any]]:
        """Computes the loss of a batch: for each block in one forward pass over its masked rows and
        one over its sentences.

        Returns:
            The loss; the sample size, which is 1 because ``Terms`` has divided by the counts; and
            the logging output, with the sum and the count of every term on this rank.
        """
        terms = Terms(self.weights, sample)
        maybe_unread = list(self.parameters())
        masked = [b for b in sample["blocks"] if len(b["net_input"]["src_tokens"])]
        if not masked:
            maybe_unread += self.task.model.parameters()
        for block in masked:
            scores, _ = model(**block["net_input"], attention_layer=None, sentence_layer=None)
            losses = masked_lm_loss(scores, block["target"])
            terms.add("tlm" if block["parallel"] else "mlm", losses)
        if self.training and self.past is not None:
            self.past.encoder.start(self.task.model, self.projection)
        scope = self.candidates if self.training else "rank"
        if self.weights["contrast"] and is_contrasted(sample, scope):
            self._contrast(model, sample, terms, scope)
        log = terms.logging_output(("contrast_correct",), per_corpus=not self.training)
        return terms.loss() + zero_from(maybe_unread), 1, log

    def _contrast(self, model, sample: Dict[str, Any], terms: Terms, scope: str) -> None:
        """Adds the contrastive term of a batch."""

        def encode(sentences: Dict[str, torch.Tensor]) -> torch.Tensor:
            states = encode_block(model, sentences, self.layer).states
            vectors = self.pool(states, sentences["mask"])
            if self.projection is None:
                return vectors
            vectors = vectors.to(self.projection.weight.dtype)
            return at_least_fp32(self.projection(vectors))

        def empty() -> torch.Tensor:
            weights = [*self.task.model.parameters(), *self.parameters()]
            return at_least_fp32(empty_vectors(weights, self.dim))

        blocks = [block["sentences"] for block in sample["blocks"] if block["parallel"]]
        if self.training and self.past is not None:
            own = {"pairs": {**sample["pairs"], "blocks": blocks}, "filler": sample["filler"]}
            none = Pairs(empty(), empty(), key_rows(sample["pairs"], True)[:0])
            pairs = encode_sides(encode, own, none, targets=self.cfg.contrast_symmetric)
            dtype = next(self.task.model.parameters()).dtype
            choice = self.past.choice(pairs, sample, dtype)
        else:
            pairs, _ = own_sentences(sample, [*map(encode, blocks)], (), empty)
            choice = self.update_pairs.choice(pairs, None, sample, encode, scope)
        result = contrastive_term(
            choice,
            temperature=self.cfg.contrast_temperature,
            normalize=self.cfg.contrast_normalize,
            symmetric=self.cfg.contrast_symmetric,
        )
        terms.add_contrastive("contrast", result)

    def after_update(self) -> None:
        """Moves the momentum encoder and fills the queue. The task calls it after each update."""
        if self.past is not None:
            self.past.after_update()
            self.past.encoder.follow(self.task.model, self.projection, self.cfg.contrast_momentum)

    def load_state_dict(self, state_dict: Optional[Dict[str, Any]], strict: bool = True):
        """Takes the state of a checkpoint.

        A part that the checkpoint lacks, or has in another size, starts afresh.
        """
        given = dict(state_dict or {})
        own = self.state_dict()
        parts = {"placeholder": "", "projection.": "projection"}
        parts.update({"past.encoder.": "momentum encoder", "past.queue.": "queue"})
        for prefix, part in parts.items():
            keys = [key for key in own if key.startswith(prefix)]
            if any(key not in given or _shape(given[key]) != _shape(own[key]) for key in keys):
                given.update((key, own[key]) for key in keys)
                if part:
                    warn(f"the checkpoint has no {part} of this size: it starts afresh")
        return super().load_state_dict({key: given[key] for key in own}, strict)

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Logs the terms, and the share (%) of sentences whose translation scores highest."""
        total = reduce_terms(logging_outputs)
        log_mean(
            "contrast_accuracy", total, "contrast_correct", "contrast_count", scale=100, digits=1
        )


def _shape(value: Any) -> Optional[Tuple[int, ...]]:
    """Returns the shape of a tensor, or None for another value."""
    return tuple(value.shape) if torch.is_tensor(value) else None


def _check(cfg: ContrastiveAlignmentConfig) -> None:
    """Raises UserError where a setting is out of its range or cannot go with another."""
    if not 0 < cfg.contrast_temperature < float("inf"):
        raise UserError(
            f"--contrast-temperature {cfg.contrast_temperature} is not a finite number above 0"
        )
    if cfg.contrast_projection < 0:
        raise UserError(f"--contrast-projection {cfg.contrast_projection} is less than 0")
    if not 0 <= cfg.contrast_momentum < 1:
        raise UserError(f"--contrast-momentum {cfg.contrast_momentum} is not in [0, 1)")
    if cfg.contrast_queue < 0:
        raise UserError(f"--contrast-queue {cfg.contrast_queue} is less than 0")
    if cfg.contrast_queue and not cfg.contrast_momentum:
        raise UserError(
            f"--contrast-queue {cfg.contrast_queue} without a momentum encoder: only its "
            "encodings stay comparable from update to update; add --contrast-momentum 0.9999, or "
            "drop the queue"
        )
