"""The criterion ``amber``: MLM, TLM, word alignment and sentence alignment in one forward pass.

AMBER (arXiv 2010.07972), section 2: the paper's loss is the plain sum of the four terms. The
optimal transport term (arXiv 2110.02887) and its anchor can be added.
"""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq.criterions import register_criterion
from fairseq.dataclass import ChoiceEnum

from fairseq_amber.criterions.contrastive_term import contrastive_term
from fairseq_amber.criterions.terms import Terms, TermsCriterion, log_mean, reduce_terms
from fairseq_amber.criterions.transport import TransportTerms
from fairseq_amber.criterions.transport_config import TransportConfig, check_unused
from fairseq_amber.criterions.update_pairs import Pairs, UpdatePairs
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.models.layer_number import layer_number
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.sentence_alignment import POOLINGS
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss


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
    wa_layer: int = field(
        default=-1,
        metadata={
            "help": "layer of the aligned attention, counted from 1; -1 = last (paper: last)"
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

        One forward pass encodes all rows. The rows of word alignment also yield the sentence
        vectors; without word alignment, a second pass encodes the sentences by themselves.

        Returns:
            The loss; the sample size, which is 1 because ``Terms`` has divided by the counts; and
            the logging output, with the sum and the count of every term on this rank.
        """
        parallel = sample["parallel"]
        scores, extra = model(
            **sample["net_input"],
            attention_layer=self.wa_layer,
            sentence_layer=self.sa_layer if self.reads_sentences else None,
            include_diagonal=self.cfg.wa_include_diagonal,
        )
        normalized_by = None if self.transport is None else self.transport.normalized_by
        terms = Terms(self.weights, sample, normalized_by)
        losses = masked_lm_loss(scores, sample["target"])
        terms.add("tlm" if parallel else "mlm", losses)
        if parallel and self.weights["wa"]:
            losses = self._word_alignment(extra["cross_attention"], sample)
            terms.add("wa", losses)
            terms.log("wa_score", (1 - losses).sum())
        if parallel and self.reads_sentences:
            self._sentences(model, extra["sentence_states"], sample, terms)
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

    def _sentences(self, model, states: Optional[torch.Tensor], sample, terms: Terms) -> None:
        """Adds the terms that compare sentences.

        Args:
            model: the model.
            states: (2B, P, D) states of the first sentence of each row of word alignment, of the
                rows [x;y] and then [y;x]. This sentence attends to itself alone, so that it is
                encoded as if it were alone. None where there are no such rows.
            sample: the batch.
            terms: the terms to add to.
        """

        def encode(tokens: torch.Tensor) -> torch.Tensor:
            return model(tokens, features_only=True, sentence_layer=self.sa_layer)[0]

        if states is None:
            sentences = sample["sentences"]
            tokens, mask = sentences["tokens"], sentences["mask"]
            states = encode(tokens)
        else:
            sentences, tokens, mask = sample, self._first_sentences(sample), sample["sentence_mask"]
        if self.weights["sa"]:
            pairs = Pairs.of(self.pool(states, mask), {**sentences, "filler": sample["filler"]})
            self._sentence_alignment(encode, pairs, sample, terms)
        if self.transport is not None:
            self.transport.add(terms, states, tokens, sample)

    def _first_sentences(self, sample) -> torch.Tensor:
        """Returns (2B, P), the first sentence of each row of word alignment and padding after
        it."""
        width = sample["sentence_mask"].size(1)
        rows = slice(-sample["sentence_mask"].size(0), None)
        tokens = sample["net_input"]["src_tokens"][rows, :width]
        columns = torch.arange(width, device=tokens.device)
        outside = columns >= sample["net_input"]["prefix_lengths"][rows].unsqueeze(1)
        return tokens.masked_fill(outside, self.task.source_dictionary.pad())

    def _sentence_alignment(self, encode, pairs: Pairs, sample, terms: Terms) -> None:
        """Adds the contrastive term; ``encode`` turns tokens into states."""

        def vectors(sentences: Dict[str, torch.Tensor]) -> torch.Tensor:
            return self.pool(encode(sentences["tokens"]), sentences["mask"])

        scope = self.cfg.sa_candidates if self.training else "rank"
        result = contrastive_term(
            self.update_pairs.choice(pairs, sample, vectors, scope),
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
