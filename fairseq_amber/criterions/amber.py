"""The criterion ``amber``: MLM, TLM, word alignment and sentence alignment in one forward pass.

AMBER (arXiv 2010.07972), section 2: the paper's loss is the plain sum of the four terms. The
optimal transport term (arXiv 2110.02887) and its anchor can be added.
"""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

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
from fairseq_amber.models.layers import layer_number
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.sentence_alignment import POOLINGS
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss


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


@register_criterion("amber", dataclass=AmberCriterionConfig)
class AmberCriterion(TermsCriterion):
    """``loss = sum_t weight_t * sum_t / count_t``, each term over its own count: predicted tokens
    for MLM and TLM, target points for the anchor, sentence pairs for the others. The counts are
    those of the whole update, over all ranks and accumulated micro-batches."""

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
        self.transport = TransportTerms(self.cfg, model)
        if self.weights["sa"] and self.transport.layer != self.sa_layer:
            raise UserError(
                f"--ot-layer {self.transport.layer} and --sa-layer {self.sa_layer} differ: both "
                "terms read the states of one layer"
            )
        self.sa_layer = self.transport.layer

    @property
    def needs(self) -> Needs:
        """What the task has to put into a batch."""
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
    def forward(self, model, sample: Dict[str, Any], reduce: bool = True):
        """One forward pass over all rows of a batch; without word alignment, whose rows also yield
        the sentence vectors, another one over the sentences by themselves.

        Returns:
            The loss; the sample size, 1 (what a term is divided by is already in the loss, scaled
            so that fairseq's mean over micro-batches is the update's loss); the logging output:
            for every term its sum and its count on this rank.
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
        """(B,) from (2B, H, L, L): first the maps of [x;y], y to x, then those of [y;x]."""
        if self.wa_heads is not None:
            # Not by a list, which would be copied to the device and waited for.
            cross_attention = torch.stack([cross_attention[:, h] for h in self.wa_heads], dim=1)
        target_to_source, source_to_target = cross_attention.chunk(2)
        return attention_symmetry_loss(
            source_to_target, target_to_source, sample["source_mask"], sample["target_mask"]
        )

    def _sentences(self, model, states: Optional[torch.Tensor], sample, terms: Terms) -> None:
        """From (2B, P, D), the first sentence of word alignment's rows [x;y] and then [y;x].

        That sentence attends to itself alone, so these are the states of separate encodings.
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
            vectors = Pairs.of(self.pool(states, mask), {**sentences, "filler": sample["filler"]})
            self._sentence_alignment(encode, vectors, sample, terms)
        if self.transport is not None:
            self.transport.add(terms, states, tokens, sample)

    def _first_sentences(self, sample) -> torch.Tensor:
        """(2B, P) tokens of word alignment's rows, up to the end of their first sentence."""
        width = sample["sentence_mask"].size(1)
        rows = slice(-sample["sentence_mask"].size(0), None)
        tokens = sample["net_input"]["src_tokens"][rows, :width]
        places = torch.arange(width, device=tokens.device)
        outside = places >= sample["net_input"]["prefix_lengths"][rows].unsqueeze(1)
        return tokens.masked_fill(outside, self.task.source_dictionary.pad())

    def _sentence_alignment(self, encode, pairs: Pairs, sample, terms: Terms) -> None:
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
        """Logs what :func:`~fairseq_amber.criterions.terms.reduce_terms` logs, the word alignment
        score, and the retrieval accuracy (%) among the candidates."""
        total = reduce_terms(logging_outputs)
        log_mean("wa_score", total, "wa_score", "wa_count")
        log_mean("sa_accuracy", total, "sa_correct", "sa_count", scale=100, digits=1)


def _heads(text: str) -> List[int]:
    try:
        heads = [int(head) for head in text.split(",")]
    except ValueError:
        heads = []
    if not heads or min(heads) < 0 or len(set(heads)) < len(heads):
        raise UserError(f"--wa-heads {text!r} is no list of heads, such as 0,3,5")
    return heads
