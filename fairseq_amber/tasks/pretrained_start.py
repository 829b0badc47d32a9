"""How ``fairseq-train --from-pretrained`` begins: with the shape and the weights of a model as it
was published, saved or converted."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fairseq.data import Dictionary
from fairseq.distributed import utils as distributed_utils
from torch import Tensor

from fairseq_amber.convert.fairseq_checkpoint import NEW_HEAD
from fairseq_amber.convert.reading import Source, read_source
from fairseq_amber.convert.vocabulary import Vocabulary
from fairseq_amber.errors import warn
from fairseq_amber.files.torch_file import map_torch_file, settings
from fairseq_amber.models.amber import AmberConfig
from fairseq_amber.models.architectures import preset
from fairseq_amber.models.shapes import SHAPE_SETTINGS, take_shape
from fairseq_amber.tasks.checkpoint_start import check_alone, find_start

logger = logging.getLogger(__name__)

_ADVICE = {
    NEW_HEAD: "; to learn MLM or TLM, train it alone first, with --freeze-encoder, because its "
    "gradients would harm the encoder"
}
_GENERAL = "amber"  # the architecture whose name promises no shape


class PretrainedStart:
    """The model that ``--from-pretrained`` names.

    Attributes:
        path: the model; see ``convert.reading.read_source``.
        source: what was read of it; None before it is read, and after ``release``.
    """

    def __init__(self, path: str, dictionary: Dictionary, data: Path):
        """Does not read the model.

        Args:
            path: the model.
            dictionary: the dictionary of the task, ``<mask>`` included.
            data: the folder of that dictionary.
        """
        self.path = path
        self.source: Source | None = None
        self._vocabulary = Vocabulary(list(dictionary.symbols), {}, str(data / "dict.txt"))

    def begin(self, cfg: Any, checkpoint: Any) -> bool:
        """Gives the settings of the model the shape with which the run begins or goes on.

        A run that goes on has the shape of its own checkpoint, and needs no other model.

        Args:
            cfg: the settings of the model, ``AmberConfig``, which are changed. A named architecture
                of another shape becomes ``amber``.
            checkpoint: fairseq's settings of checkpoints; None if there is nothing to go on from.

        Returns:
            Whether the run begins, so that the model that is built has to be filled by ``load``.

        Raises:
            UserError: the model cannot be read, has another vocabulary than the task, or its shape
                contradicts a flag; or another flag names what the run begins from.
        """
        own = None
        if checkpoint is not None:
            check_alone(checkpoint)
            own = find_start(checkpoint).path
        if own is None:
            shape = asdict(self._read().model.shape)
        else:
            run = _settings_of_run(own)
            shape = asdict(run)
            logger.info("going on from %s; %s is not read for it", own, self.path)
            if run.from_pretrained and not _is_same(run.from_pretrained, self.path):
                _warn(
                    f"{own} began as {run.from_pretrained}, not as {self.path}: what stays frozen "
                    f"is read from {self.path}"
                )
        name = getattr(cfg, "_name", None) or _GENERAL
        wanted = preset(name)
        take_shape(cfg, shape, wanted, own or self.path)
        if name != _GENERAL and any(wanted[key] != shape[key] for key in SHAPE_SETTINGS):
            cfg._name = _GENERAL
            _warn(f"the model has the shape of {own or self.path}, which is not --arch {name}")
        return own is None

    def load(self, model: Any) -> None:
        """Loads the weights into a model of the shape, with the head of a checkpoint of this
        package, if both have one.

        Raises:
            SystemExit: the head tells another number of labels apart.
        """
        source = self._read()
        logger.info("the model begins as %s", self.path)
        free = model.encoder.sentence_encoder.embed_tokens.weight.requires_grad
        for note in source.notes:
            _warn(f"{self.path}: {note}{_ADVICE.get(note, '') if free else ''}")
        weights = dict(source.model.weights)
        if source.head is not None and source.is_checkpoint_of_ours:
            stem = f"heads.{source.head.kind}."
            weights.update((stem + part, value) for part, value in source.head.weights.items())
        elif source.head is not None:
            _warn(f"{self.path}: left out: its head for {source.head.kind}")
        model.load_state_dict(weights, strict=True)

    def weights(self) -> dict[str, Tensor]:
        """Returns the weights of the model without a head, by the names of its parameters.

        Raises:
            UserError: the model cannot be read, or has another vocabulary.
        """
        return self._read().model.weights

    def release(self) -> None:
        """Frees the memory of what was read."""
        self.source = None

    def _read(self) -> Source:
        if self.source is None:
            self.source = read_source(Path(self.path), expected=self._vocabulary)
        return self.source


def _settings_of_run(checkpoint: str) -> AmberConfig:
    """Returns the settings of the model in a checkpoint of ``fairseq-train``."""
    architecture, _ = settings(map_torch_file(checkpoint))
    return AmberConfig.from_namespace(architecture)


def _is_same(path: str, other: str) -> bool:
    """Returns whether two names lead to the same place, which need not be there any more."""
    return Path(path).resolve() == Path(other).resolve()


def _warn(message: str) -> None:
    if distributed_utils.get_global_rank() == 0:
        warn(message)
