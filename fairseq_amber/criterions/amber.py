"""The criterion ``amber``: MLM, TLM, word alignment and sentence alignment, one forward pass.

AMBER (arXiv 2010.07972), section 2. The paper's loss is the plain sum of the terms.
"""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass

from fairseq_amber.criterions.gather import gather_rows
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.sentence_alignment import (
    contrastive_loss,
    mean_pool,
    similarities,
)
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss

TERMS = ("mlm", "tlm", "wa", "sa")


@dataclass
class AmberCriterionConfig(FairseqDataclass):
    """Weights of the terms, and the choices that the paper leaves open."""

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
    sa_skip_special_tokens: bool = field(
        default=False,
        metadata={"help": "leave <s> and </s> out of a sentence's mean (paper: not known)"},
    )


@register_criterion("amber", dataclass=AmberCriterionConfig)
class AmberCriterion(FairseqCriterion):
    """``loss = sum_t weight_t * sum_t / count_t``, each term over its own count: predicted tokens
    for MLM and TLM, sentence pairs for WA and SA. The counts are those of the whole update, over
    all ranks and accumulated micro-batches."""

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
        sa_skip_special_tokens: bool = False,
    ):
        super().__init__(task)
        self.weights = dict(zip(TERMS, (mlm_weight, tlm_weight, wa_weight, sa_weight)))
        self.sa_temperature = sa_temperature
        self.sa_normalize = sa_normalize
        self.sa_symmetric = sa_symmetric
        self.sa_skip_special_tokens = sa_skip_special_tokens

    @property
    def needs(self) -> Dict[str, bool]:
        """What the task has to put into a batch; see ``data.alignment_dataset.Needs``."""
        return {
            "mlm": self.weights["mlm"] != 0,
            "tlm": self.weights["tlm"] != 0,
            "alignment": self.weights["wa"] != 0 or self.weights["sa"] != 0,
            "include_specials": not self.sa_skip_special_tokens,
        }

    def forward(self, model, sample: Dict[str, Any], reduce: bool = True):
        """One forward pass over all rows of a batch.

        Returns:
            The loss; the sample size, 1 (what a term is divided by is already in the loss, scaled
            so that fairseq's mean over micro-batches is the update's loss); the logging output:
            for every term its sum and its count on this rank.
        """
        scores, extra = model(**sample["net_input"])
        sums: Dict[str, Tuple[torch.Tensor, int]] = {
            "tlm" if sample["parallel"] else "mlm": (
                masked_lm_loss(scores, sample["target"]).sum(),
                sample["target"].numel(),
            )
        }
        correct = scores.new_zeros(())
        if "cross" in sample["net_input"]:
            pairs = sample["nsentences"]
            if self.weights["wa"]:
                sums["wa"] = self._word_alignment(extra["cross_attention"], sample).sum(), pairs
            if self.weights["sa"]:
                losses, correct = self._sentence_alignment(extra["features"], sample)
                sums["sa"] = losses.sum(), pairs

        loss = torch.stack(
            [
                self.weights[term] * self._scale(term, count, sample) * total
                for term, (total, count) in sums.items()
            ]
        ).sum()
        counts = sample["counts"]
        logging_output = {
            "loss": loss.detach(),
            "ntokens": sample["ntokens"] * counts,
            "nsentences": sample["nsentences"] * counts,
            "sample_size": 1,
            "positions": sample["net_input"]["src_tokens"].numel() * counts,
            "sa_correct": correct * counts,
        }
        # Every key in every batch: fairseq adds them up over batches of different kinds.
        for term in TERMS:
            total, count = sums.get(term, (loss.new_zeros(()), 0))
            logging_output[f"{term}_sum"] = total.detach() * counts
            logging_output[f"{term}_count"] = count * counts
            logging_output[f"{term}_weight"] = self.weights[term]
        return loss, 1, logging_output

    def _scale(self, term: str, count: int, sample: Dict[str, Any]) -> float:
        """What a term's sum is multiplied by; plain numbers, known before the forward pass."""
        update = sample["normalizers"]
        if update is None:
            return 1 / max(count, 1)
        if not sample["counts"]:
            return 0.0
        name = {"mlm": "mlm_tokens", "tlm": "tlm_tokens"}.get(term, "pairs")
        return update["micro_batches"] / max(update[name], 1)

    def _word_alignment(self, cross_attention: torch.Tensor, sample) -> torch.Tensor:
        """(B,) from (2B, H, L, L): first the maps of [x;y], y to x, then those of [y;x]."""
        target_to_source, source_to_target = cross_attention.chunk(2)
        return attention_symmetry_loss(
            source_to_target, target_to_source, sample["source_mask"], sample["target_mask"]
        )

    def _sentence_alignment(
        self, states: torch.Tensor, sample
    ) -> Tuple[torch.Tensor, torch.Tensor]:
        """(B,) losses and how many anchors are nearest to their own candidate.

        The first sentence of a row attends to itself alone, so these are the vectors of separate
        encodings.
        """
        mask = sample["sentence_mask"]
        sources, targets = mean_pool(states[-mask.size(0) :], mask).chunk(2)  # (B, D) each
        losses, correct = self._contrast(sources, targets, sample)
        if self.sa_symmetric:
            losses = (losses + self._contrast(targets, sources, sample)[0]) / 2
        return losses, correct

    def _contrast(
        self, anchors: torch.Tensor, candidates: torch.Tensor, sample
    ) -> Tuple[torch.Tensor, torch.Tensor]:
        """Anchors of this rank against the candidates of all ranks; in validation, and where the
        other ranks' batches are not known, of this rank."""
        key = sample["target_key"]
        real = torch.ones_like(key) if sample["counts"] else torch.zeros_like(key)
        update, offset = sample["normalizers"], 0
        all_keys = key
        if self.training and update is not None:
            candidates, offset = gather_rows(candidates, update["step_pairs"])
            both, _ = gather_rows(torch.stack([key, real], dim=1), update["step_pairs"])
            all_keys, real = both.unbind(dim=1)
        positives = offset + torch.arange(len(anchors), device=anchors.device)
        ignore = (all_keys == key.unsqueeze(1)) | (real == 0)
        losses = contrastive_loss(
            anchors,
            candidates,
            positives,
            temperature=self.sa_temperature,
            normalize=self.sa_normalize,
            ignore=ignore,
        )
        with torch.no_grad():
            scores = similarities(anchors, candidates, normalize=self.sa_normalize)
            own = scores.gather(1, positives.unsqueeze(1))
            rivals = scores.masked_fill(ignore, float("-inf"))
            correct = (own > rivals).all(dim=1).sum()
        return losses, correct

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Logs every term's mean (MLM, TLM, SA in nats), their weighted sum as ``loss``, the word
        alignment score, the retrieval accuracy within a batch (%), and the padding share (%)."""
        total = {key: sum(output[key] for output in logging_outputs) for key in logging_outputs[0]}
        for term in TERMS:
            count = total[f"{term}_count"]
            if count > 0:
                metrics.log_scalar(f"{term}_loss", total[f"{term}_sum"] / count, count, round=3)
                if term == "wa":
                    metrics.log_scalar("wa_score", 1 - total["wa_sum"] / count, count, round=3)
                if term == "sa":
                    accuracy = 100 * total["sa_correct"] / count
                    metrics.log_scalar("sa_accuracy", accuracy, count, round=1)
        weights = {f"{term}_loss": total[f"{term}_weight"] / total["sample_size"] for term in TERMS}

        def weighted_sum(meters) -> float:
            """Over the terms that have been seen since the meters were last reset."""
            means = {name: meters[name].avg for name in weights if name in meters}
            terms = [weights[name] * mean for name, mean in means.items() if mean is not None]
            return round(float(sum(terms)), 4)

        metrics.log_derived("loss", weighted_sum, priority=0)
        positions = total["positions"]
        if positions > 0:
            share = 100 * (1 - total["ntokens"] / positions)
            metrics.log_scalar("padding", share, positions, round=1)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """True: every value is a sum over this rank's examples."""
        return True
