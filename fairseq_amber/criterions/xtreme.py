"""The criterions ``xtreme_tagging``, ``xtreme_classification`` and ``xtreme_qa``: the cross-entropy
of a head's scores, to fine-tune on labels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass

from fairseq_amber.criterions.layers import unread_parameters, zero_from


class XtremeCriterion(FairseqCriterion):
    """``loss = sum_i -log softmax(scores_i)[target_i]`` over what is labelled, in nats, in fp32.

    The sample size is how many i there are, by which fairseq divides over ranks and accumulated
    batches: the gradient does not depend on how a global batch is cut.
    """

    head: str

    def forward(self, model, sample: dict[str, Any], reduce: bool = True):
        """One forward pass over a batch of :mod:`~fairseq_amber.data.finetuning.dataset`.

        Returns:
            The loss, the sample size, and sums over the batch to log.
        """
        return self.loss(self.scores(model, sample), sample)

    def scores(self, model, sample: dict[str, Any]) -> torch.Tensor:
        """The head's, at least in fp32; their shape is that of ``AmberModel.forward``."""
        scores = model(**sample["net_input"])[0]
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def loss(self, scores: torch.Tensor, sample: dict[str, Any]):
        """What :meth:`forward` returns, of scores."""
        real = int(not sample["filler"])
        target_count = sample["target_count"] * real
        total = self.cross_entropy(scores, sample) * real
        log = {
            "loss": total.detach(),
            "ntokens": sample["ntokens"] * real,
            "nsentences": sample["nsentences"] * real,
            "sample_size": target_count,
            "positions": sample["net_input"]["src_tokens"].numel() * real,
        }
        model = self.task.model
        idle = unread_parameters(model, len(model.encoder.sentence_encoder.layers))
        return total + zero_from(idle), target_count, log

    def cross_entropy(self, scores: torch.Tensor, sample: dict[str, Any]) -> torch.Tensor:
        """Summed; 0 where nothing is labelled."""
        return F.cross_entropy(scores, sample["target"], ignore_index=-1, reduction="sum")

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Logs the mean loss (nats) and the padding share (%)."""
        keys = ("loss", "sample_size", "ntokens", "positions")
        loss, count, tokens, positions = (
            sum(output[key] for output in logging_outputs) for key in keys
        )
        if count:
            metrics.log_scalar("loss", loss / count, count, priority=0, round=4)
        if positions:
            metrics.log_scalar("padding", 100 * (1 - tokens / positions), positions, round=1)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """True: every value is a sum over this rank's examples."""
        return True


@register_criterion("xtreme_tagging", dataclass=FairseqDataclass)
class XtremeTaggingCriterion(XtremeCriterion):
    """i: the words that have a label."""

    head = "tagging"


@register_criterion("xtreme_classification", dataclass=FairseqDataclass)
class XtremeClassificationCriterion(XtremeCriterion):
    """i: the pairs that have a label."""

    head = "classification"


@register_criterion("xtreme_qa", dataclass=FairseqDataclass)
class XtremeQaCriterion(XtremeCriterion):
    """i: the windows whose question has an answer; the loss of each is the mean of those of the
    answer's first and last token, over all tokens of its row (Devlin et al. 2019, arXiv 1810.04805,
    section 4.2)."""

    head = "qa"

    def cross_entropy(self, scores: torch.Tensor, sample: dict[str, Any]) -> torch.Tensor:
        """Summed; 0 where nothing is labelled."""
        padding = sample["net_input"]["src_tokens"].eq(self.padding_idx)
        # Otherwise the length of the batch's longest row would count.
        scores = scores.masked_fill(padding.unsqueeze(2), float("-inf"))
        ends = F.cross_entropy(scores, sample["target"], ignore_index=-1, reduction="sum")
        return ends / 2
