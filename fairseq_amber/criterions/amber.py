"""The criterion ``amber``: MLM, TLM, word alignment and sentence alignment in one forward pass.

AMBER (arXiv 2010.07972), section 2: the paper's loss is the plain sum of the four terms. The
optimal transport term (arXiv 2110.02887) and its anchor can be added.
"""

from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq.criterions import register_criterion

from fairseq_amber.criterions.amber_config import AmberCriterionConfig
from fairseq_amber.criterions.contrastive_term import contrastive_term
from fairseq_amber.criterions.encoded_sentences import EncodedSentences, encode_block
from fairseq_amber.criterions.terms import Terms, TermsCriterion, log_mean, reduce_terms
from fairseq_amber.criterions.transport import TransportTerms
from fairseq_amber.criterions.transport_config import check_unused
from fairseq_amber.criterions.unread_parameters import empty_vectors
from fairseq_amber.criterions.update_pairs import UpdatePairs, is_contrasted, own_sentences
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.models.layer_number import layer_number
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.precision import at_least_fp32
from fairseq_amber.objectives.sentence_alignment import POOLINGS
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss


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
        if not 0 < cfg.sa_temperature < float("inf"):
            raise UserError(f"--sa-temperature {cfg.sa_temperature} is not a finite number above 0")
        if cfg.sa_weight and cfg.sa_negatives == "all" and not cfg.mlm_weight:
            raise UserError(
                "--sa-negatives all takes the monolingual sentences, which --mlm-weight 0 leaves "
                "out: raise it, or take --sa-negatives update"
            )
        self.wa_heads = None if cfg.wa_heads is None else _heads(cfg.wa_heads)
        self.sa_layer, self.wa_layer = cfg.sa_layer, cfg.wa_layer
        self.pool = POOLINGS[cfg.sa_pooling]
        self.update_pairs = UpdatePairs()
        self.transport: Optional[TransportTerms] = None
        if getattr(task, "model", None) is not None:
            self._check_model(task.model)
        if cfg.ot_weight or cfg.anchor_weight:
            self._add_transport(task.model)
        else:
            check_unused(cfg)

    def _check_model(self, model) -> None:
        """Raises UserError unless the model has the layers and the heads that are asked for."""
        self.sa_layer = layer_number("--sa-layer", self.sa_layer, model.depth)
        self.wa_layer = layer_number("--wa-layer", self.wa_layer, model.depth)
        heads = model.encoder.sentence_encoder.layers[0].self_attn.heads
        if self.wa_heads is not None and max(self.wa_heads) >= heads:
            raise UserError(
                f"--wa-heads {max(self.wa_heads)}: the model's heads are 0 to {heads - 1}"
            )

    def _add_transport(self, model) -> None:
        """Adds optimal transport and its anchor, which read the same states as ``sa``."""
        self.transport = TransportTerms(self.cfg, model)
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
            alignment=self.weights["wa"] != 0,
            sentences=self.reads_sentences and self.weights["wa"] == 0,
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

        One forward pass for each block encodes all its rows. The rows of word alignment also yield
        the sentence vectors; without word alignment, a second pass encodes the sentences by
        themselves.

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
                attention_layer=self.wa_layer,
                sentence_layer=self.sa_layer if self.reads_sentences else None,
                include_diagonal=self.cfg.wa_include_diagonal,
            )
            losses = masked_lm_loss(scores, block["target"])
            terms.add("tlm" if block["parallel"] else "mlm", losses)
            if block["parallel"] and self.weights["wa"]:
                losses = self._word_alignment(extra["cross_attention"], block)
                terms.add("wa", losses)
                terms.log("wa_score", (1 - losses).sum())
            if block["parallel"] and self.reads_sentences:
                sentences.append(self._encoded(model, extra["sentence_states"], block))
        scope = self.cfg.sa_candidates if self.training else "rank"
        if self.weights["sa"] and is_contrasted(sample, scope):
            self._sentence_alignment(model, sentences, sample, terms, scope)
        if self.transport is not None and sentences:
            self.transport.add(terms, sentences, sample)
        log = terms.logging_output(("wa_score", "sa_correct"), per_corpus=not self.training)
        return terms.loss(), 1, log

    def _word_alignment(self, cross_attention: torch.Tensor, sample) -> torch.Tensor:
        """Computes the (B,) losses from (2B, H, L, L) attention maps: those of [x;y] (from y to x),
        then those of [y;x] (from x to y)."""
        if self.wa_heads is not None:
            # A list as index would be copied to the device, and the host would wait for it.
            cross_attention = torch.stack([cross_attention[:, h] for h in self.wa_heads], dim=1)
        target_to_source, source_to_target = cross_attention.chunk(2)
        return attention_symmetry_loss(
            source_to_target, target_to_source, sample["source_mask"], sample["target_mask"]
        )

    def _encoded(self, model, states: Optional[torch.Tensor], block) -> EncodedSentences:
        """Returns the sentences of a block of pairs, each encoded by itself.

        Args:
            model: the model.
            states: (2B, P, D) states of the first sentence of each row of word alignment, of the
                rows [x;y] and then [y;x]. This sentence attends to itself alone, so that it is
                encoded as if it were alone. None where there are no such rows.
            block: the block.
        """
        if states is None:
            return encode_block(model, block["sentences"], self.sa_layer)
        width = block["sentence_mask"].size(1)
        rows = slice(-block["sentence_mask"].size(0), None)
        tokens = block["net_input"]["src_tokens"][rows, :width]
        columns = torch.arange(width, device=tokens.device)
        outside = columns >= block["net_input"]["prefix_lengths"][rows].unsqueeze(1)
        tokens = tokens.masked_fill(outside, self.task.source_dictionary.pad())
        return EncodedSentences(states, tokens, block["sentence_mask"])

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


def _heads(text: str) -> List[int]:
    """Reads comma-separated numbers of attention heads, or raises UserError."""
    try:
        heads = [int(head) for head in text.split(",")]
    except ValueError:
        heads = []
    if not heads or min(heads) < 0 or len(set(heads)) < len(heads):
        raise UserError(f"--wa-heads {text!r} is not a list of attention heads, such as 0,3,5")
    return heads
