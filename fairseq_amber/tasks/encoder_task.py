"""The base class of all tasks: what they cannot do, or not with these settings, ends in one line at
the start of the run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fairseq.criterions import CRITERION_REGISTRY
from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY
from fairseq.tasks import FairseqTask
from omegaconf import DictConfig
from torch import Tensor

from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.models.amber import AmberModel
from fairseq_amber.tasks.pretrained_start import PretrainedStart
from fairseq_amber.tasks.run_settings import check_run, check_shards, whole_config


class EncoderTask(FairseqTask):
    """A task that trains an encoder of this package with a criterion that knows its batches.

    Attributes:
        pretrained: the model that ``--from-pretrained`` names; None without it.
        freezes_encoder: whether the model that was built trains its heads alone.

    Raises:
        UserError: the run would cut the model into shards.
    """

    def __init__(self, cfg: Any):
        super().__init__(cfg)
        self.pretrained: PretrainedStart | None = None
        self.freezes_encoder = False
        # fairseq asks for the packages of shards before it asks the task for a model.
        check_shards(cfg)

    @classmethod
    def takes(cls, criterion: type) -> bool:
        """Returns whether a class of criterions can learn from the batches of the task.

        Args:
            criterion: a class that is registered with fairseq.

        Raises:
            NotImplementedError: always; each task implements it.
        """
        raise NotImplementedError

    @exit_clearly
    def build_model(self, cfg, from_checkpoint=False):
        """Builds the model, at the start of a run after a look at the settings of the run, and with
        ``--from-pretrained`` in the shape and with the weights of that model.

        Raises:
            UserError: the architecture is none of this package, or a setting is out of its range,
                needs a package that is not installed, or is not supported; or
                ``PretrainedStart.begin`` raises it.
        """
        _check_architecture(cfg)
        self.freezes_encoder = bool(getattr(cfg, "freeze_encoder", False))
        path = getattr(cfg, "from_pretrained", None)
        start = self.pretrained = self._pretrained(path) if path else None
        begins = False
        if not from_checkpoint:
            check_run(self.cfg)
            if start is not None:
                whole = whole_config(self.cfg)
                begins = start.begin(cfg, None if whole is None else whole.checkpoint)
        model = self.with_head(super().build_model(cfg, from_checkpoint))
        if start is not None and begins:
            start.load(model)
        return model

    def with_head(self, model: Any) -> Any:
        """Returns a model with the head that the task trains; by default there is none."""
        return model

    def initial_weights(self, path: str | None = None) -> dict[str, Tensor] | None:
        """Reads the weights of a pretrained model, for a criterion that is being built.

        Args:
            path: a folder that ``--from-pretrained`` could name; by default the one that it names.

        Returns:
            The weights by the names of the parameters; None if there is no such flag.

        Raises:
            UserError: the model cannot be read, or has another vocabulary than the task.
        """
        if path is not None:
            return self._pretrained(path).weights()
        return None if self.pretrained is None else self.pretrained.weights()

    def _pretrained(self, path: str) -> PretrainedStart:
        data = Path(self.cfg.data.split(os.pathsep)[0])
        return PretrainedStart(path, self.source_dictionary, data)

    @exit_clearly
    def build_criterion(self, cfg):
        """Builds the criterion.

        Raises:
            UserError: the criterion belongs to other tasks. Without ``--criterion``, fairseq takes
                ``cross_entropy``.
        """
        name = getattr(cfg, "_name", None) or getattr(cfg, "criterion", None)
        chosen = CRITERION_REGISTRY.get(name)
        if chosen is None or not self.takes(chosen):
            fitting = sorted(key for key, value in CRITERION_REGISTRY.items() if self.takes(value))
            default = ", which fairseq takes if none is given," if name == "cross_entropy" else ""
            raise UserError(
                f"--criterion {name}{default} does not go with --task {_name_of(self)}: give "
                f"--criterion {' or '.join(fitting)}"
            )
        criterion = super().build_criterion(cfg)
        if self.pretrained is not None:
            self.pretrained.release()
        return criterion

    @exit_clearly
    def build_generator(self, *args: Any, **kwargs: Any):
        """Refuses ``fairseq-generate`` and ``fairseq-interactive``.

        Raises:
            UserError: always.
        """
        raise UserError(
            "fairseq-generate and fairseq-interactive write text, which an encoder does not: use "
            "it with fairseq-amber embed, align, retrieve or evaluate"
        )

    @exit_clearly
    def eval_lm_dataloader(self, *args: Any, **kwargs: Any):
        """Refuses ``fairseq-eval-lm``.

        Raises:
            UserError: always.
        """
        raise UserError(
            "fairseq-eval-lm measures models that read from left to right, which an encoder does "
            "not: fairseq-validate measures the terms of its loss"
        )


def _name_of(task: FairseqTask) -> str:
    return getattr(task.cfg, "_name", None) or type(task).__name__


def _check_architecture(cfg: Any) -> None:
    """Raises UserError unless the settings of a model name an architecture of this package."""
    name = getattr(cfg, "_name", None) or getattr(cfg, "arch", None)
    if cfg is not None and name is None and not isinstance(cfg, DictConfig):
        return  # settings of a model without a name, which fairseq looks at itself
    chosen = ARCH_MODEL_REGISTRY.get(name) or MODEL_REGISTRY.get(name)
    if chosen is None or not issubclass(chosen, AmberModel):
        known = sorted(
            key for key, value in ARCH_MODEL_REGISTRY.items() if issubclass(value, AmberModel)
        )
        wrong = "no architecture is given" if name is None else f"--arch {name} is another model"
        raise UserError(
            f"{wrong}: give one of this package's, {', '.join(known)}; roberta's weights of the "
            "same shape load into it as they are"
        )
