"""The criterion ``amber``: MLM, TLM, word alignment and sentence alignment, one forward pass.

AMBER (arXiv 2010.07972), section 2. The paper's loss is the plain sum of the terms. Optimal
transport (arXiv 2110.02887) may join them.
"""

from typing import Any, Dict, List, Optional

import torch
from fairseq.criterions import FairseqCriterion, register_criterion

from fairseq_amber.criterions.amber_config import AmberCriterionConfig
from fairseq_amber.criterions.anchor import counted
from fairseq_amber.criterions.contrast import contrast
from fairseq_amber.criterions.layers import layer_number
from fairseq_amber.criterions.terms import Terms, check_weights, log_mean, reduce_terms
from fairseq_amber.criterions.transport import TransportTerms
from fairseq_amber.criterions.transport_config import (
    TransportConfig,
    check_unused,
    point_settings,
)
from fairseq_amber.criterions.update_pairs import Pairs, UpdatePairs
from fairseq_amber.data.alignment.needs import Needs, PointSettings
from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.sentence_alignment import mean_pool
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss

TERMS = ("mlm", "tlm", "wa", "sa", "ot", "anchor")


@register_criterion("amber", dataclass=AmberCriterionConfig)
class AmberCriterion(FairseqCriterion):
    """``loss = sum_t weight_t * sum_t / count_t``, each term over its own count: predicted tokens
    for MLM and TLM, target points for the anchor, sentence pairs for the others. The counts are
    those of the whole update, over all ranks and accumulated micro-batches."""

    @exit_clearly
    def __init__(
        self,
        task,
        mlm_weight: float = 1.0,
        tlm_weight: float = 1.0,
        wa_weight: float = 1.0,
        sa_weight: float = 1.0,
        sa_temperature: float = 1.0,
        sa_normalize: bool = False,
        sa_symmetric: bool = False,
        sa_pooling: str = "mean",
        sa_skip_special_tokens: bool = False,
        sa_layer: int = -1,
        sa_candidates: str = "update",
        wa_layer: int = -1,
        wa_heads: Optional[str] = None,
        wa_include_special_tokens: bool = False,
        wa_include_diagonal: bool = False,
        cfg: Optional[TransportConfig] = None,
    ):
        super().__init__(task)
        transported = (0.0, 0.0) if cfg is None else (cfg.ot_weight, cfg.anchor_weight)
        weights = (mlm_weight, tlm_weight, wa_weight, sa_weight, *transported)
        self.weights = dict(zip(TERMS, weights))
        check_weights(self.weights)
        if not 0 < sa_temperature < float("inf"):
            raise UserError(f"--sa-temperature {sa_temperature} is not a finite number above 0")
        self.sa_temperature = sa_temperature
        self.sa_normalize = sa_normalize
        self.sa_symmetric = sa_symmetric
        self.sa_pooling = sa_pooling
        self.sa_skip_special_tokens = sa_skip_special_tokens
        self.sa_layer = sa_layer
        self.sa_candidates = sa_candidates
        self.wa_layer = wa_layer
        self.wa_heads = None if wa_heads is None else _heads(wa_heads)
        _check_model(getattr(task, "model", None), sa_layer, wa_layer, self.wa_heads)
        self.wa_include_special_tokens = wa_include_special_tokens
        self.wa_include_diagonal = wa_include_diagonal
        self.update_pairs = UpdatePairs()
        self.transport: Optional[TransportTerms] = None
        self.points: Optional[PointSettings] = None
        self.counted_in: Dict[str, str] = {}
        if cfg is not None and not any(transported):
            check_unused(cfg)
        if cfg is not None and any(transported):
            self.transport = TransportTerms(cfg, task.model)
            self.points = point_settings(cfg)
            self.counted_in = counted(cfg)
            layers = [self.transport.layer]
            if sa_weight:
                layers.append(layer_number("--sa-layer", sa_layer, task.model))
            if len(set(layers)) > 1:
                raise UserError(
                    "--ot-layer {} and --sa-layer {} differ: both terms read the states of one "
                    "layer".format(*layers)
                )
            self.sa_layer = layers[0]

    @property
    def needs(self) -> Needs:
        """What the task has to put into a batch."""
        return Needs(
            mlm=self.weights["mlm"] != 0,
            tlm=self.weights["tlm"] != 0,
            alignment=self.weights["wa"] != 0,
            sentences=self.reads_sentences and self.weights["wa"] == 0,
            include_specials=not self.sa_skip_special_tokens,
            alignment_specials=self.wa_include_special_tokens,
            update_candidates=self.weights["sa"] != 0 and self.sa_candidates == "update",
            points=self.points,
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
            include_diagonal=self.wa_include_diagonal,
        )
        terms = Terms(self.weights, sample, self.counted_in)
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
            vectors = Pairs.of(self._pool(states, mask), {**sentences, "counts": sample["counts"]})
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
            return self._pool(encode(sentences["tokens"]), sentences["mask"])

        scope = self.sa_candidates if self.training else "rank"
        result = contrast(
            self.update_pairs.choice(pairs, sample, vectors, scope),
            temperature=self.sa_temperature,
            normalize=self.sa_normalize,
            symmetric=self.sa_symmetric,
        )
        terms.add_contrast("sa", result)

    def _pool(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(n, T, D) -> (n, D) in fp32."""
        return states[:, 0].float() if self.sa_pooling == "cls" else mean_pool(states, mask)

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Logs what :func:`~fairseq_amber.criterions.terms.reduce_terms` logs, the word alignment
        score, and the retrieval accuracy (%) among the candidates."""
        total = reduce_terms(logging_outputs)
        log_mean("wa_score", total, "wa_score", "wa_count")
        log_mean("sa_accuracy", total, "sa_correct", "sa_count", scale=100, digits=1)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """True: every value is a sum over this rank's examples."""
        return True


def _heads(text: str) -> List[int]:
    try:
        heads = [int(head) for head in text.split(",")]
    except ValueError:
        heads = []
    if not heads or min(heads) < 0 or len(set(heads)) < len(heads):
        raise UserError(f"--wa-heads {text!r} is no list of heads, such as 0,3,5")
    return heads


def _check_model(model, sa_layer: int, wa_layer: int, wa_heads: Optional[List[int]]) -> None:
    """Whether a model of ours has these layers and heads."""
    encoder = getattr(getattr(model, "encoder", None), "sentence_encoder", None)
    if encoder is None:
        return
    for flag, layer in (("--sa-layer", sa_layer), ("--wa-layer", wa_layer)):
        if layer != -1 and not 1 <= layer <= len(encoder.layers):
            raise UserError(f"{flag} {layer}: the model's layers are 1 to {len(encoder.layers)}")
    heads = encoder.layers[0].self_attn.heads
    if wa_heads is not None and max(wa_heads) >= heads:
        raise UserError(f"--wa-heads {max(wa_heads)}: the model's heads are 0 to {heads - 1}")
