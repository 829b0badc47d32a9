"""The criterions ``xtreme_<kind>``, one for each registered kind of fine-tuning task."""

from __future__ import annotations

from typing import Any

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass

from fairseq_amber.criterions.terms import check_task
from fairseq_amber.criterions.unread_parameters import unread_parameters, zero_from
from fairseq_amber.data.finetuning.kinds import KINDS, Kind
from fairseq_amber.data.finetuning.learning import learning_of
from fairseq_amber.errors import exit_clearly


class XtremeCriterion(FairseqCriterion):
    """The loss of a kind of task, ``Learning.loss``, in nats and in fp32.

    The sample size is the number of labels, by which fairseq divides over ranks and accumulated
    batches. So the gradient does not depend on how an update is cut into batches.

    Attributes:
        kind: the kind of task.
    """

    kind: Kind

    @exit_clearly
    def __init__(self, task):
        name = f"xtreme_{self.kind.name}"
        check_task(task, name, name, getattr(task, "kind", None) == self.kind)
        super().__init__(task)
        self._learning = learning_of(self.kind)

    def forward(
        self, model, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[torch.Tensor, int, dict[str, Any]]:
        """Computes the loss of a batch of a ``TaskDataset`` in one forward pass.

        Returns:
            The loss, the sample size, and the sums over the batch that are logged.
        """
        return self.loss(self.scores(model, sample), sample)

    def scores(self, model, sample: dict[str, Any]) -> torch.Tensor:
        """Computes the scores of the model's head, in fp32 or fp64: (M, L), (B, L) or (B, T, 2), as
        ``AmberModel.forward`` describes them."""
        scores = model(**sample["net_input"])[0]
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def loss(self, scores: torch.Tensor, sample: dict[str, Any]):
        """Computes what ``forward`` returns from the output of ``scores``."""
        real = int(not sample["filler"])
        target_count = sample["target_count"] * real
        total = self._learning.loss(scores, sample, self.padding_idx) * real
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

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Logs the mean loss (nats) and the padding's share (%)."""
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
        """Returns True, because every value is a sum over the examples of a rank."""
        return True


def register_xtreme_criterion(kind: Kind) -> None:
    """Registers ``xtreme_<kind>`` with fairseq."""
    name = f"xtreme_{kind.name}"
    # fairseq keeps the name of the class in checkpoints: a run goes on only with the same one.
    criterion = type(f"Xtreme{kind.name.title()}Criterion", (XtremeCriterion,), {"kind": kind})
    register_criterion(name, dataclass=FairseqDataclass)(criterion)


for _kind in KINDS.values():
    register_xtreme_criterion(_kind)
