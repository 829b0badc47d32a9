"""The terms of a loss: every criterion sums, normalises, weights and logs them in the same way."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion
from fairseq.tasks import FairseqTask

from fairseq_amber.criterions.contrastive_term import ContrastiveTerm
from fairseq_amber.errors import UserError, warn

# Which count of data.plan.Normalizers a term is divided by; other terms are means over pairs.
_NORMALIZED_BY = {"mlm": "mlm_tokens", "tlm": "tlm_tokens", "l2": "links"}


class Terms:
    """The named terms of one micro-batch: ``loss = sum_t weight_t * sum_t / count_t``.

    ``count_t`` is the count over the whole update: over all ranks and all accumulated
    micro-batches. fairseq divides by the number of micro-batches, because each has the sample size
    1; the loss is multiplied by this number beforehand. Counts are plain numbers that are known
    before the forward pass.

    Args:
        weights: the weights of all terms of the criterion, in the order of the log.
        sample: the batch.
        normalized_by: by term, the name of the count of ``data.plan.Normalizers`` that the term is
            divided by, where it is not the usual count.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        sample: dict[str, Any],
        normalized_by: Mapping[str, str] | None = None,
    ):
        self.weights = weights
        self._normalized_by = {**_NORMALIZED_BY, **(normalized_by or {})}
        self.sample = sample
        self._real = int(not sample["filler"])  # a filler's sums and counts are 0
        self._totals: dict[str, torch.Tensor] = {}
        self._logged: dict[str, Any] = {}

    def add(self, term: str, losses: torch.Tensor, count: int | None = None) -> None:
        """Adds a term by its losses on a block of this micro-batch. The losses of a filler count
        for nothing.

        Args:
            term: the name of the term.
            losses: the losses, of any shape; the term is their sum, normalised.
            count: the number of items that the sum runs over; by default the number of losses.
        """
        count = losses.numel() if count is None else count
        self._add(term, losses.sum() * self._real, count)

    def add_contrastive(self, term: str, result: ContrastiveTerm, count: int | None = None) -> None:
        """Adds a contrastive term.

        It is not multiplied by 0 for a filler: the filler's own anchors are already left out, but
        its sentences remain the candidates of other ranks, which need a gradient.

        Args:
            term: the name of the term.
            result: the contrastive loss and the number of correct choices.
            count: the number of this micro-batch's anchors; by default, of its pairs.
        """
        count = self.sample["npairs"] if count is None else count
        total = result.own.detach() + (result.total - result.total.detach())
        self._add(term, total, count)
        self.log(f"{term}_correct", result.correct)

    def _add(self, term: str, total: torch.Tensor, count: int) -> None:
        """Adds a term, or a further block of it, by the scalar sum of its losses."""
        self._totals[term] = self._totals[term] + total if term in self._totals else total
        self.log(f"{term}_sum", total)
        self._logged[f"{term}_count"] = self._logged.get(f"{term}_count", 0) + count * self._real

    def log(self, name: str, value: torch.Tensor) -> None:
        """Adds ``value``, a sum over examples of this micro-batch, to what is logged as
        ``name``."""
        self._logged[name] = self._logged.get(name, 0) + value.detach() * self._real

    def loss(self) -> torch.Tensor:
        """Returns the weighted sum of the terms."""
        weighted = [
            self.weights[term] * self._scale(term) * total for term, total in self._totals.items()
        ]
        return torch.stack(weighted).sum()

    def logging_output(
        self, extra: Sequence[str] = (), *, per_corpus: bool = False
    ) -> dict[str, Any]:
        """Returns sums and counts on this rank.

        Every batch of a split has the same keys, because fairseq adds the values up over ranks and
        over batches of different kinds.

        Args:
            extra: names given to ``log``, which some batches lack.
            per_corpus: add the sums and counts of each corpus of the split, as
                ``<name>/<corpus>``.
        """
        sample = self.sample
        zero = next(iter(self._totals.values())).new_zeros(())
        out: dict[str, Any] = {
            "loss": zero,  # fairseq requires the key; reduce_terms computes the logged value
            "ntokens": sample["ntokens"] * self._real,
            "nsentences": sample["nsentences"] * self._real,
            "npairs": sample["npairs"] * self._real,
            "sample_size": 1,
            "positions": _positions(sample) * self._real,
        }
        names = [*extra]
        for term in self.weights:
            out[f"{term}_weight"] = self.weights[term]
            names += [f"{term}_sum", f"{term}_count"]
        # Counts are plain numbers, because reduce_terms asks whether they are 0.
        absent = {name: 0 if name.endswith("_count") else zero for name in names}
        for name in names:
            out[name] = self._logged.get(name, absent[name])
        if per_corpus:
            for corpus in sample["corpora"]:
                here = corpus == sample["corpus"]
                for name in names:
                    out[f"{name}/{corpus}"] = out[name] if here else absent[name]
        return out

    def _scale(self, term: str) -> float:
        """Returns the factor of a term's sum; outside a plan it makes the sum a mean."""
        update = self.sample["normalizers"]
        if update is None:
            return 1 / max(self._logged[f"{term}_count"], 1)
        return update["micro_batches"] / max(update[self._normalized_by.get(term, "pairs")], 1)


class TermsCriterion(FairseqCriterion):
    """Base class of criterions whose loss is a weighted sum of named terms.

    Attributes:
        term_names: the names of the terms, in the order of the log. Each has a field
            ``<name>_weight`` in the config.
        cfg: the criterion's config.
        weights: the weight of each term.
    """

    term_names: Sequence[str]

    def __init__(self, task: Any, cfg: Any):
        name = getattr(cfg, "_name", type(self).__name__)
        check_task(task, name, "cross_lingual_alignment", hasattr(task, "needs"))
        super().__init__(task)
        self.cfg = cfg
        self.weights = {term: getattr(cfg, f"{term}_weight") for term in self.term_names}
        check_weights(self.weights)
        if getattr(task, "freezes_encoder", False):
            check_frozen(self.weights)

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Logs what ``reduce_terms`` logs."""
        reduce_terms(logging_outputs)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Returns True: every value is a sum over this rank's examples."""
        return True


def _positions(sample: dict[str, Any]) -> int:
    """Counts the tokens, padding included, of all rows in a batch."""
    blocks = sample["blocks"]
    tokens = [block["net_input"]["src_tokens"] for block in blocks]
    tokens += [block["sentences"]["tokens"] for block in blocks if "sentences" in block]
    return sum(rows.numel() for rows in tokens)


def check_task(task: Any, criterion: str, wanted: str, fits: bool) -> None:
    """Checks that a criterion is used with the task whose batches it reads.

    Args:
        task: the task.
        criterion: the name of the criterion.
        wanted: the name of the task that goes with the criterion.
        fits: whether the task makes such batches. What is no task of fairseq's is not asked.

    Raises:
        UserError: the task makes other batches.
    """
    if isinstance(task, FairseqTask) and not fits:
        name = getattr(task.cfg, "_name", None) or type(task).__name__
        raise UserError(f"--criterion {criterion} goes with --task {wanted}, not with {name}")


def check_weights(weights: Mapping[str, float]) -> None:
    """Raises UserError unless all weights are finite and at least 0, and one is above 0."""
    for term, weight in weights.items():
        if not 0 <= weight < float("inf"):
            raise UserError(f"--{term}-weight {weight} is not a finite number from 0 up")
    if not any(weights.values()):
        flags = ", ".join(f"--{term}-weight" for term in weights)
        raise UserError(f"every term has weight 0: raise one of {flags}")


def check_frozen(weights: Mapping[str, float]) -> None:
    """Raises UserError if a term has a weight that no head learns from, under a frozen encoder."""
    idle = [term for term, weight in weights.items() if weight and term not in ("mlm", "tlm")]
    if idle:
        flags = " ".join(f"--{term}-weight 0" for term in idle) if "mlm" in weights else ""
        raise UserError(
            f"--freeze-encoder trains the language model head alone, and nothing would learn from "
            f"{', '.join(idle)}: {flags and f'give {flags}, or '}drop --freeze-encoder"
        )


def warn_of_left_out(cfg: Any, term: str, defaults: Mapping[str, Any]) -> None:
    """Warns of settings of a term that has weight 0. They are no errors, because the runs of an
    ablation share their settings.

    Args:
        cfg: the criterion's config.
        term: the name of the term.
        defaults: the settings that this term alone reads, with their defaults.
    """
    if getattr(cfg, f"{term}_weight"):
        return
    given = [name for name, default in defaults.items() if getattr(cfg, name) != default]
    if given:
        flags = ", ".join("--" + name.replace("_", "-") for name in given)
        warn(f"no effect with --{term}-weight 0: {flags}")


def reduce_terms(logging_outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """Logs the mean and the weight of every term, and the weighted sum of the means as ``loss``.

    It also logs the share of padding (%) and the sentence pairs per second.

    Returns:
        The sums over the logging outputs.
    """
    total = {key: sum(output[key] for output in logging_outputs) for key in logging_outputs[0]}
    weights = {
        key[: -len("_weight")]: value / total["sample_size"]
        for key, value in total.items()
        if key.endswith("_weight")
    }
    for term, weight in weights.items():
        log_mean(f"{term}_loss", total, f"{term}_sum", f"{term}_count")
        if weight:
            metrics.log_scalar(f"{term}_weight", weight, weight=0, priority=400, round=3)
    if any(weight for term, weight in weights.items() if term != "mlm"):
        metrics.log_speed("pps", total["npairs"], priority=91, round=1)

    def weighted_sum(meters) -> float:
        """Returns the weighted sum over the terms seen since the last reset of the meters."""
        means = {t: meters[f"{t}_loss"].avg for t in weights if f"{t}_loss" in meters}
        terms = [weights[t] * mean for t, mean in means.items() if mean is not None]
        return round(float(sum(terms)), 4)

    metrics.log_derived("loss", weighted_sum, priority=0)
    positions = total["positions"]
    if positions > 0:
        share = 100 * (1 - total["ntokens"] / positions)
        metrics.log_scalar("padding", share, positions, round=1)
    return total


def log_mean(
    name: str,
    total: dict[str, Any],
    sum_key: str,
    count_key: str,
    *,
    scale: float = 1,
    digits: int = 3,
) -> None:
    """Logs ``scale * sum / count``, over all corpora and for each corpus with its own count.

    Args:
        name: the name in the log.
        total: the sums over the logging outputs.
        sum_key: the key of the sum.
        count_key: the key of the count.
        scale: a factor, such as 100 for %.
        digits: how many decimals the log has.
    """
    corpora = sorted(key[len(count_key) :] for key in total if key.startswith(f"{count_key}/"))
    for corpus in ("", *corpora):
        count = total[count_key + corpus]
        if count > 0:
            mean = scale * total[sum_key + corpus] / count
            metrics.log_scalar(name + corpus, mean, count, round=digits)
