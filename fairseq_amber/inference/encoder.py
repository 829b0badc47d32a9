"""The ``Encoder``: a checkpoint that turns text into sentence vectors, states and attention maps.

A program loads one and gives it text:

    >>> from fairseq_amber import load
    >>> encoder = load("checkpoint_best.pt", device="cpu")
    >>> sentences = ["der Hund schläft heute", "the dog sleeps today", "ja"]
    >>> vectors = encoder.embed(sentences, layer=2)
    >>> vectors.shape == (3, encoder.dim)
    True
    >>> by_layer = encoder.embed_layers(sentences, [1, 2])
    >>> by_layer.shape == (2, 3, encoder.dim)
    True

``embed`` and ``embed_layers`` take strings. All other methods take token ids without special
tokens, which ``encoder.tokenizer.encode`` makes from strings:

    >>> ids = encoder.tokenizer.encode(sentences)
    >>> states = encoder.pair_states([ids[0]], [ids[1]], layer=2)
    >>> states.source.shape[2] == encoder.dim
    True

Nothing here computes gradients, and dropout is off.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

import numpy as np
import torch
from torch import Tensor

from fairseq_amber.data.batches_by_length import distinct
from fairseq_amber.data.layout import SENTENCE_SPECIALS, PairMarks, sentence_row
from fairseq_amber.errors import UserError, warn
from fairseq_amber.inference.checkpoint import find_device, load_model
from fairseq_amber.inference.token_encoder import TokenEncoder
from fairseq_amber.inference.tokenizer import Tokenizer
from fairseq_amber.progress import Progress, heartbeat
from fairseq_amber.tokenizers.subwords import TokenizerFiles, find_tokenizer

if TYPE_CHECKING:
    from fairseq_amber.convert.vocabulary import Vocabulary


class Encoder(TokenEncoder):
    """A trained encoder with its tokenizer.

    Attributes:
        data: the folder with the dictionary and the tokenizer; or the path of a pretrained model.
        vocabulary: the vocabulary of a pretrained model; None where ``data`` holds it.
        dictionary: fairseq's ``Dictionary``, with ``<mask>``.
        dim: D, the size of a state and of a sentence vector.
        num_layers: L. Layer 0 is the embeddings, layers 1 to L are the transformer layers.
        max_tokens: length of the longest row that the model takes, special tokens included.
        config: what identifies the model, such as ``checkpoint`` and ``updates``, for the JSON of a
            result.
    """

    def __init__(
        self,
        model: Any,
        dictionary: Any,
        data: Path,
        config: dict[str, Any],
        marks: PairMarks | None = None,
        vocabulary: Vocabulary | None = None,
    ):
        """Wraps a model in evaluation mode; ``Encoder.load`` reads one from a checkpoint."""
        super().__init__(model, dictionary, marks)
        self.data = data
        self.vocabulary = vocabulary
        self.config = config

    @classmethod
    def load(
        cls,
        checkpoint: str | Path,
        *,
        data: str | Path | None = None,
        device: str | None = None,
        dtype: str = "float32",
        reinitialize: int | None = None,
    ) -> Encoder:
        """Loads a checkpoint with the dictionary of its data folder, or a pretrained model.

        What is left out of a pretrained model is warned of.

        Args:
            checkpoint: a file that fairseq-train wrote for an architecture of this package; or a
                folder of Hugging Face's XLM-R or BERT, of fairseq's XLM-R or of ``fairseq-amber
                convert``, as it is.
            data: folder with ``dict.txt`` and the tokenizer; by default the pretrained folder, and
                else the folder that the checkpoint was trained on.
            device: a device such as ``cpu`` or ``cuda:0``; by default a GPU if there is one.
            dtype: the dtype of weights and states: ``float32``, ``float16`` or ``bfloat16``.
                Sentence vectors are pooled in float32 in any case. ``config`` records a dtype other
                than float32.
            reinitialize: a seed. The trained weights are replaced by new random ones, which gives
                the untrained baseline of the same architecture.

        Raises:
            UserError: a file is missing or damaged, the files do not belong together, or the device
                cannot compute in this dtype.
        """
        where = find_device(device)
        with heartbeat(f"loading {checkpoint}"):
            loaded = load_model(checkpoint, data=data, reinitialize=reinitialize)
        model = loaded.model.to(where, getattr(torch, dtype))
        config = loaded.config if dtype == "float32" else {**loaded.config, "dtype": dtype}
        marks = PairMarks.of(vars(loaded.task_settings))
        encoder = cls(
            model, loaded.dictionary, loaded.data, config, marks, vocabulary=loaded.vocabulary
        )
        if dtype != "float32":
            encoder._try_dtype(dtype)
        return encoder

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model, from text to token ids."""
        return Tokenizer(self.tokenizer_files.load(), self.dictionary)

    @property
    def tokenizer_files(self) -> TokenizerFiles:
        """The files of the tokenizer, in the form in which a data folder has them.

        Raises:
            UserError: the data folder has none.
        """
        if self.vocabulary is None:
            return find_tokenizer(self.data)
        return TokenizerFiles(self.vocabulary.files, self.vocabulary.source)

    def embed(
        self,
        sentences: Sequence[str],
        *,
        layer: int = -1,
        pooling: str = "mean",
        prefix: str = "",
        batch_tokens: int = 8192,
        name: str | None = None,
    ) -> Tensor:
        """Computes sentence vectors of strings, with a progress bar.

        A sentence that occurs twice is encoded once, so that its vectors are equal to the bit. A
        sentence that exceeds ``max_tokens`` is cut.

        Args:
            sentences: N strings.
            layer: the layer whose states are pooled; see ``resolve_layer``.
            pooling: ``mean`` over all tokens with ``<s>`` and ``</s>``, ``mean-no-specials`` over
                the subwords alone, or ``cls`` for the state of ``<s>``.
            prefix: text in front of each sentence, such as ``query: `` for multilingual E5. Its
                subwords are pooled like those of the sentence.
            batch_tokens: upper limit of the tokens in a batch, padding included.
            name: name of the text for the progress bar and for a warning that tells how many
                sentences were cut; by default there is no such warning.

        Returns:
            (N, D) float32 vectors on the model's device.
        """
        return self.embed_layers(
            sentences,
            [layer],
            pooling=pooling,
            prefix=prefix,
            batch_tokens=batch_tokens,
            name=name,
        )[0]

    def embed_layers(
        self,
        sentences: Sequence[str],
        layers: Sequence[int],
        *,
        pooling: str = "mean",
        prefix: str = "",
        batch_tokens: int = 8192,
        name: str | None = None,
    ) -> Tensor:
        """Computes sentence vectors of strings at several layers, from one pass of the model.

        Args:
            sentences: N strings.
            layers: K layers; see ``resolve_layer``.
            pooling: as in ``embed``.
            prefix: as in ``embed``.
            batch_tokens: as in ``embed``.
            name: as in ``embed``.

        Returns:
            (K, N, D) float32 vectors on the model's device.
        """
        unique, row_of = distinct(sentences)
        ids = self.tokenizer.encode([prefix + sentence for sentence in unique])
        vectors = torch.empty(len(layers), len(unique), self.dim, device=self._device)
        what = "encoding" if name is None else f"encoding {name}"
        lengths = [min(len(row) + SENTENCE_SPECIALS, self.max_tokens) for row in ids]
        with Progress(
            total=len(unique), unit="sentences", what=what, work=sum(lengths)
        ) as progress:
            for rows, batch in self.layer_vectors(
                ids, layers, pooling=pooling, batch_tokens=batch_tokens
            ):
                vectors[:, torch.from_numpy(rows).to(self._device)] = batch
                progress.update(len(rows), work=sum(lengths[row] for row in rows))
        if name is not None:
            self.warn_of_cut(int(self.too_long(ids)[row_of].sum()), name)
        if len(unique) == len(sentences):
            return vectors
        return vectors[:, torch.from_numpy(row_of).to(self._device)]

    def warn_of_cut(self, count: int, name: str) -> None:
        """Warns that ``count`` sentences of the text called ``name`` were cut, unless it is 0."""
        if count:
            warn(
                f"{count} sentences of {name} are longer than {self.max_tokens} subwords, special "
                "tokens included, and were cut"
            )

    def _try_dtype(self, dtype: str) -> None:
        try:
            self._states([sentence_row(np.zeros(0), self._specials)], [self.num_layers])
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"--dtype {dtype} cannot be used on {self._device}: {reason}") from None
