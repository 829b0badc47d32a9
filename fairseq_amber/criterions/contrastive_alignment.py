"""The criterion ``contrastive_alignment``: MLM, TLM and a contrastive loss of sentences or words.

Of sentences it is that of InfoXLM (Chi et al. 2021, arXiv 2007.07834), section 3.2, with
``--contrast-momentum`` and ``--contrast-queue``. Without them, a sentence chooses among the
translations of its update. Of words it is that of Wu and Dredze 2020 (arXiv 2010.02537).
"""

from __future__ import annotations

from typing import Any

import torch
from fairseq.criterions import register_criterion
from torch import nn

from fairseq_amber.criterions import anchor
from fairseq_amber.criterions.contrastive_config import (
    ContrastiveAlignmentConfig,
    check,
    link_settings,
    point_settings,
    temperature,
)
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
from fairseq_amber.criterions.word_contrast import WordContrast
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.errors import UserError, exit_clearly, warn
from fairseq_amber.models.layer_number import layer_number
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.precision import at_least_fp32
from fairseq_amber.objectives.sentence_alignment import POOLINGS


@register_criterion("contrastive_alignment", dataclass=ContrastiveAlignmentConfig)
class ContrastiveAlignmentCriterion(TermsCriterion):
    """``loss = sum_t weight_t * sum_t / count_t``, a weighted sum of means.

    ``count_t`` is the number of predicted tokens for MLM and TLM, and of sentence pairs, or of
    links with ``--contrast-units words``, for the contrastive loss ``-log exp(s_ii) / sum_j
    exp(s_ij)``, ``s_ij = <x_i, y_j> / temperature``. It is counted over the whole update, as in the
    criterion ``amber``. Words may have an anchor too, as in the criterion ``l2_alignment``.

    With a checkpoint of another criterion, training starts with a freshly initialised projection,
    with the model of the checkpoint as momentum encoder, and with an empty queue.
    """

    term_names = ("mlm", "tlm", "contrast", "anchor")

    @exit_clearly
    def __init__(self, task, cfg: ContrastiveAlignmentConfig):
        super().__init__(task, cfg)
        check(cfg)
        depth = task.model.depth
        default = -1 if cfg.contrast_units == "words" else (2 * depth + 2) // 3
        layer = default if cfg.contrast_layer is None else cfg.contrast_layer
        self.layer = layer_number("--contrast-layer", layer, depth)
        self.pool = POOLINGS[cfg.contrast_pooling]
        self.candidates = "update" if cfg.contrast_momentum else cfg.contrast_candidates
        self.update_pairs = UpdatePairs()
        self.words: WordContrast | None = None
        if cfg.contrast_units == "words":
            self.words = WordContrast(cfg, task, self.layer)
        self.projection: nn.Linear | nn.Sequential | None = None
        # Checkpoints hold the state of momentum contrast under the keys ``past.*``.
        self.past: MomentumContrast | None = None
        if cfg.contrast_weight:
            try:
                self._build(cfg.contrast_projection, cfg.contrast_queue)
            except RuntimeError as error:
                if "allocate" not in str(error):
                    raise
                raise UserError(
                    f"--contrast-projection {cfg.contrast_projection} and --contrast-queue "
                    f"{cfg.contrast_queue} do not fit into the memory of this machine: lower them"
                ) from None

    def _build(self, projection: int, queue: int) -> None:
        """Builds the projection to ``projection`` dimensions, and momentum contrast."""
        model = self.task.model
        dim = model.encoder.sentence_encoder.embed_tokens.embedding_dim
        self.dim = projection or dim
        if projection:
            self.projection = nn.Linear(dim, projection, bias=False)
            if self.cfg.contrast_projection_layers == 2:
                hidden = nn.Linear(dim, dim, bias=False)
                self.projection = nn.Sequential(hidden, nn.ReLU(), self.projection)
            for weight in self.projection.parameters():
                nn.init.normal_(weight, std=0.02)
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
            points=point_settings(self.cfg),
            links=link_settings(self.cfg),
        )

    @exit_clearly
    def forward(
        self, model, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[torch.Tensor, int, dict[str, Any]]:
        """Computes the loss of a batch: for each block in one forward pass over its masked rows and
        one over its sentences.

        Returns:
            The loss; the sample size, which is 1 because ``Terms`` has divided by the counts; and
            the logging output, with the sum and the count of every term on this rank.
        """
        normalized_by = {} if self.words is None else {"contrast": "links"}
        terms = Terms(self.weights, sample, {**normalized_by, **anchor.normalized_by(self.cfg)})
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
        if self.words is not None:
            self.words.add(terms, model, sample, scope, self._projected, self._empty)
        elif self.weights["contrast"] and is_contrasted(sample, scope):
            self._contrast(model, sample, terms, scope)
        log = terms.logging_output(("contrast_correct",), per_corpus=not self.training)
        return terms.loss() + zero_from(maybe_unread), 1, log

    def _projected(self, vectors: torch.Tensor) -> torch.Tensor:
        """Projects (n, D) states or means of states; half precision becomes fp32."""
        if self.projection is not None:
            vectors = self.projection(vectors.to(next(self.projection.parameters()).dtype))
        return at_least_fp32(vectors)

    def _empty(self) -> torch.Tensor:
        """Returns no vectors, which depend on every parameter."""
        weights = [*self.task.model.parameters(), *self.parameters()]
        return at_least_fp32(empty_vectors(weights, self.dim))

    def _contrast(self, model, sample: dict[str, Any], terms: Terms, scope: str) -> None:
        """Adds the contrastive term of a batch, whose units are sentences."""

        def encode(sentences: dict[str, torch.Tensor]) -> torch.Tensor:
            states = encode_block(model, sentences, self.layer).states
            return self._projected(self.pool(states, sentences["mask"]))

        empty = self._empty
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
            temperature=temperature(self.cfg),
            normalize=self.cfg.contrast_normalize,
            symmetric=self.cfg.contrast_symmetric,
        )
        terms.add_contrastive("contrast", result)

    def after_update(self) -> None:
        """Moves the momentum encoder and fills the queue. The task calls it after each update."""
        if self.past is not None:
            self.past.after_update()
            self.past.encoder.follow(self.task.model, self.projection, self.cfg.contrast_momentum)

    def load_state_dict(self, state_dict: dict[str, Any] | None, strict: bool = True):
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
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Logs the terms, and the share (%) of sources whose translation scores highest."""
        total = reduce_terms(logging_outputs)
        log_mean(
            "contrast_accuracy", total, "contrast_correct", "contrast_count", scale=100, digits=1
        )


def _shape(value: Any) -> tuple[int, ...] | None:
    """Returns the shape of a tensor, or None for another value."""
    return tuple(value.shape) if torch.is_tensor(value) else None
