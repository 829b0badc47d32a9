"""The criterion ``amber``: MLM, TLM, word alignment and sentence alignment in one forward pass.

AMBER (arXiv 2010.07972), section 2: the paper's loss is the plain sum of the four terms. The
optimal transport term (arXiv 2110.02887) and its anchor can be added.
"""

from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq.criterions import register_criterion

from fairseq_amber.criterions.amber_config import AmberCriterionConfig, check
from fairseq_amber.criterions.contrastive_term import contrastive_term
from fairseq_amber.criterions.encoded_sentences import (
    EncodedSentences,
    encode_block,
    encode_layers,
)
from fairseq_amber.criterions.terms import Terms, TermsCriterion, log_mean, reduce_terms
from fairseq_amber.criterions.transport import TransportTerms
from fairseq_amber.criterions.transport_config import check_unused
from fairseq_amber.criterions.unread_parameters import empty_vectors
from fairseq_amber.criterions.update_pairs import UpdatePairs, is_contrasted, own_sentences
from fairseq_amber.criterions.word_alignment_term import WordAlignmentTerm
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.models.layer_number import layer_number
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.precision import at_least_fp32
from fairseq_amber.objectives.sentence_alignment import POOLINGS


@register_criterion("amber", dataclass=AmberCriterionConfig)
class AmberCriterion(TermsCriterion):
    """``loss = sum_t weight_t * sum_t / count_t``, a weighted sum of means.

    ``count_t`` is the number of predicted tokens for MLM and TLM, of target points for the anchor,
    and of sentence pairs for the other terms. It is counted over the whole update: over all ranks
    and all accumulated micro-batches.
    """

    term_names = ("mlm", "tlm", "wa", "sa", "ot", "anchor")

    @exit_clearly
    def __init__(self, task, cfg: AmberCriterionConfig):
        super().__init__(task, cfg)
        check(cfg)
        self.words = WordAlignmentTerm(cfg)
        self.sa_layer = cfg.sa_layer
        self.pool = POOLINGS[cfg.sa_pooling]
        self.update_pairs = UpdatePairs()
        self.transport: Optional[TransportTerms] = None
        if getattr(task, "model", None) is not None:
            self._check_model(task.model)
        if cfg.ot_weight or cfg.anchor_weight:
            self._add_transport(task)
        else:
            check_unused(cfg)

    def _check_model(self, model) -> None:
        """Raises UserError unless the model has the layers and the heads that are asked for."""
        self.sa_layer = layer_number("--sa-layer", self.sa_layer, model.depth)
        self.words.check_model(model)

    def _add_transport(self, task) -> None:
        """Adds optimal transport and its anchor, which read the same states as ``sa``."""
        self.transport = TransportTerms(self.cfg, task)
        if self.weights["sa"] and self.transport.layer != self.sa_layer:
            raise UserError(
                f"--ot-layer {self.transport.layer} and --sa-layer {self.sa_layer} differ: both "
                "terms read the states of one layer"
            )
        self.sa_layer = self.transport.layer

    @property
    def needs(self) -> Needs:
        """The parts that a batch must hold."""
        return Needs(
            mlm=self.weights["mlm"] != 0,
            tlm=self.weights["tlm"] != 0,
            alignment=self.words.attention,
            sentences=self.words.states == "apart"
            or (self.reads_sentences and not self.words.attention),
            word_states=self.words.states,
            include_specials=not self.cfg.sa_skip_special_tokens,
            alignment_specials=self.cfg.wa_include_special_tokens,
            update_candidates=self.weights["sa"] != 0 and self.cfg.sa_candidates == "update",
            others=self.weights["sa"] != 0 and self.cfg.sa_negatives == "all",
            points=None if self.transport is None else self.transport.points,
        )

    @property
    def reads_sentences(self) -> bool:
        """Whether a term reads the states of separate sentences."""
        return self.weights["sa"] != 0 or self.transport is not None

    @exit_clearly
    def forward(
        self, model, sample: Dict[str, Any], reduce: bool = True
    ) -> Tuple[torch.Tensor, int, Dict[str, Any]]:
        """Computes the loss of a batch.

        One forward pass for each block encodes all its rows. The rows of word alignment by
        attention also yield the sentence vectors; without them, a second pass encodes the sentences
        by themselves, for all terms that read their states.

        Returns:
            The loss; the sample size, which is 1 because ``Terms`` has divided by the counts; and
            the logging output, with the sum and the count of every term on this rank.
        """
        normalized_by = None if self.transport is None else self.transport.normalized_by
        terms = Terms(self.weights, sample, normalized_by)
        sentences: List[EncodedSentences] = []
        for block in sample["blocks"]:
            scores, extra = model(
                **block["net_input"],
                **self.words.passes(self.sa_layer if self.reads_sentences else None),
            )
            losses = masked_lm_loss(scores, block["target"])
            terms.add("tlm" if block["parallel"] else "mlm", losses)
            if not block["parallel"]:
                continue
            own, apart = self._encoded(model, extra["sentence_states"], block)
            if self.weights["wa"]:
                self.words.add(terms, block, extra, apart)
            if own is not None:
                sentences.append(own)
        scope = self.cfg.sa_candidates if self.training else "rank"
        if self.weights["sa"] and is_contrasted(sample, scope):
            self._sentence_alignment(model, sentences, sample, terms, scope)
        if self.transport is not None and sentences:
            self.transport.add(terms, sentences, sample)
        log = terms.logging_output(("wa_score", "sa_correct"), per_corpus=not self.training)
        return terms.loss(), 1, log

    def _encoded(
        self, model, states: Optional[torch.Tensor], block
    ) -> Tuple[Optional[EncodedSentences], Optional[torch.Tensor]]:
        """Returns the sentences of a block of B pairs, each encoded by itself.

        Args:
            model: the model.
            states: (2B, P, D) states of the first sentence of each row of word alignment by
                attention, of the rows [x;y] and then [y;x]. This sentence attends to itself alone,
                so that it is encoded as if it were alone. Not read where there are no such rows.
            block: the block.

        Returns:
            The sentences for the terms that read them, and (2B, T, D) states for word alignment;
            None for what is not read.
        """
        if "sentences" in block:
            layers = [self.sa_layer] * self.reads_sentences
            layers += [self.words.layer] * (self.words.states == "apart")
            encoded = encode_layers(model, block["sentences"], layers)
            own = encoded[0] if self.reads_sentences else None
            return own, encoded[-1].states if self.words.states == "apart" else None
        if not self.reads_sentences:
            return None, None
        assert states is not None
        width = block["sentence_mask"].size(1)
        rows = slice(-block["sentence_mask"].size(0), None)
        tokens = block["net_input"]["src_tokens"][rows, :width]
        columns = torch.arange(width, device=tokens.device)
        outside = columns >= block["net_input"]["prefix_lengths"][rows].unsqueeze(1)
        tokens = tokens.masked_fill(outside, self.task.source_dictionary.pad())
        return EncodedSentences(states, tokens, block["sentence_mask"]), None

    def _sentence_alignment(
        self, model, sentences: List[EncodedSentences], sample, terms: Terms, scope: str
    ) -> None:
        """Adds the contrastive term, whose candidates are those of the ``scope``."""

        def vectors(rows: Dict[str, torch.Tensor]) -> torch.Tensor:
            return self.pool(encode_block(model, rows, self.sa_layer).states, rows["mask"])

        def empty() -> torch.Tensor:
            trained = self.task.model
            dim = trained.encoder.sentence_encoder.embed_tokens.embedding_dim
            return at_least_fp32(empty_vectors(trained.parameters(), dim))

        others = []
        if self.cfg.sa_negatives == "all":
            blocks = (block for block in sample["blocks"] if not block["parallel"])
            others = [vectors(block["sentences"]) for block in blocks]
        pair_vectors = [self.pool(block.states, block.mask) for block in sentences]
        pairs, candidates = own_sentences(sample, pair_vectors, others, empty)
        choice = self.update_pairs.choice(
            pairs,
            candidates,
            sample,
            vectors,
            scope,
            same_corpus=self.cfg.sa_negatives == "pair",
        )
        result = contrastive_term(
            choice,
            temperature=self.cfg.sa_temperature,
            normalize=self.cfg.sa_normalize,
            symmetric=self.cfg.sa_symmetric,
        )
        terms.add_contrastive("sa", result)

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Logs the terms, the word alignment score, and the retrieval accuracy (%)."""
        total = reduce_terms(logging_outputs)
        log_mean("wa_score", total, "wa_score", "wa_count")
        log_mean("sa_accuracy", total, "sa_correct", "sa_count", scale=100, digits=1)
