"""A model that was read: its shape, weights under our names, and vocabulary."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fairseq_amber.convert.vocabulary import Vocabulary
from fairseq_amber.environment import version_tuple
from fairseq_amber.errors import UserError
from fairseq_amber.files.torch_file import is_finite
from fairseq_amber.models.encoder import LanguageModelHead, SentenceEncoder

EMBEDDING = "encoder.sentence_encoder.embed_tokens.weight"
POSITIONS = "encoder.sentence_encoder.embed_positions.weight"
TOKEN_TYPES = "encoder.sentence_encoder.embed_segments.weight"
OUTPUT_WEIGHT = "encoder.lm_head.weight"
OUTPUT_BIAS = "encoder.lm_head.bias"
HEAD = "encoder.lm_head."
PAD = 1
_MOST = 1 << 20  # of a shape; a number beyond is damage


@dataclass(frozen=True)
class Shape:
    """The settings of the model ``amber``, under the names of its flags.

    Attributes:
        encoder_layers: number of transformer layers.
        encoder_embed_dim: size of a state.
        encoder_ffn_embed_dim: size of the hidden layer in a feed-forward network.
        encoder_attention_heads: number of attention heads of a layer.
        max_positions: length of the longest row in tokens, special tokens included.
        token_types: number of token types; 0 if the model has no embedding of them.
        layer_norm_eps: epsilon of the layer norms.
        dropout: dropout probability of the states.
        attention_dropout: dropout probability of the attention probabilities.
        activation_dropout: dropout probability after the activation in a feed-forward network.
    """

    encoder_layers: int
    encoder_embed_dim: int
    encoder_ffn_embed_dim: int
    encoder_attention_heads: int
    max_positions: int
    token_types: int = 0
    layer_norm_eps: float = 1e-5
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.0

    def checked(self, source: str) -> Shape:
        """Returns the shape, if a model of this shape can be built.

        Args:
            source: the file that describes it, for the error.

        Raises:
            UserError: a number is negative, 0, far beyond any model or no number.
        """
        for name, value in asdict(self).items():
            if isinstance(value, float):
                fits = 0 <= value < 1
            else:
                fits = name in ("token_types", "encoder_layers") or value >= 1
                fits = fits and 0 <= value < _MOST
            if not fits:
                raise UserError(
                    f"{source}: {name} would be {value}, which no model has; fetch it again"
                )
        return self


class Head(NamedTuple):
    """The head of a fine-tuned model.

    Attributes:
        kind: ``tagging``, ``classification`` or ``qa``.
        weights: its weights, such as ``out_proj.weight``.
        labels: what its outputs stand for, in order; empty if that is not known.
    """

    kind: str
    weights: dict[str, Tensor]
    labels: list[str]


@dataclass(frozen=True)
class Pretrained:
    """A model with its vocabulary.

    Attributes:
        shape: the shape of the model.
        weights: the model's parameters under the names that they have in a checkpoint.
        vocabulary: its vocabulary.
        source: where the model comes from, for error messages.
    """

    shape: Shape
    weights: dict[str, Tensor]
    vocabulary: Vocabulary
    source: str

    def checked(self) -> Pretrained:
        """Returns the model in fp32, with tied output weights, its parameters in order.

        Raises:
            UserError: the vocabulary does not fit the embedding, the output weights are not the
                embedding, or a parameter is missing, is unknown or has the wrong shape.
        """
        if EMBEDDING not in self.weights:
            raise UserError(f"{self.source} has no subword embedding: it is not an encoder of text")
        rows, symbols = len(self.weights[EMBEDDING]), len(self.vocabulary.symbols)
        if rows != symbols:
            raise UserError(
                f"{self.vocabulary.source} makes a dictionary of {symbols} symbols, <mask> "
                f"included, but the embedding of {self.source} has {rows} rows: "
                + (
                    "the dictionary is larger; give the files this model was trained with"
                    if symbols > rows
                    else "the dictionary is smaller; give the files this model was trained with, "
                    "or list the unused rows at their places in dict.txt, as 'madeupword0000 0'"
                )
            )
        broken = [name for name, value in self.weights.items() if not is_finite(value)]
        if broken:
            raise UserError(
                f"{self.source}: {broken[0]} has values that are no numbers (NaN or infinite; "
                f"{len(broken)} such parameters); take a checkpoint from before its training "
                "diverged, or fetch it again"
            )
        given = {name: value.float() for name, value in self.weights.items()}
        output = given.setdefault(OUTPUT_WEIGHT, given[EMBEDDING])
        if not torch.equal(output, given[EMBEDDING]):
            raise UserError(
                f"{self.source} has output weights of their own, where this model's are its "
                "subword embedding; remove them to have masked language modelling start anew"
            )
        given[OUTPUT_WEIGHT] = given[EMBEDDING]
        wanted = empty_parameters(self.shape, rows)
        for problem, names in (
            ("lacks", [name for name in wanted if name not in given]),
            (
                "has parameters that this model has no place for:",
                [n for n in given if n not in wanted],
            ),
        ):
            if names:
                raise UserError(
                    f"{self.source} {problem} {names[0]} ({len(names)} such parameters)"
                )
        for name, value in wanted.items():
            if value.shape != given[name].shape:
                raise UserError(
                    f"{self.source}: {name} is {tuple(given[name].shape)}, where its settings "
                    f"make {tuple(value.shape)}; its files do not belong together"
                )
        return replace(self, weights={name: given[name] for name in wanted})


def empty_parameters(shape: Shape, rows: int) -> dict[str, Tensor]:
    """Returns a model's parameters by name, with arbitrary values: only the shapes may be used."""
    if version_tuple(torch.__version__) < (2, 0):
        return build(shape, rows).state_dict()
    with torch.device("meta"):
        return build(shape, rows).state_dict()


def build(shape: Shape, rows: int) -> nn.Module:
    """Builds the model without fairseq; its parameters have their names in a checkpoint.

    Raises:
        UserError: the dimension is not a multiple of the number of attention heads.
    """
    dim, heads = shape.encoder_embed_dim, shape.encoder_attention_heads
    if dim % heads:
        raise UserError(f"a model of dimension {dim} cannot have {heads} attention heads")
    model: Any = nn.Module()
    model.encoder = nn.Module()
    model.encoder.sentence_encoder = SentenceEncoder(
        rows,
        PAD,
        layers=shape.encoder_layers,
        dim=dim,
        ffn_dim=shape.encoder_ffn_embed_dim,
        heads=heads,
        max_positions=shape.max_positions,
        token_types=shape.token_types,
        layer_norm_eps=shape.layer_norm_eps,
    )
    embedding = model.encoder.sentence_encoder.embed_tokens.weight
    model.encoder.lm_head = LanguageModelHead(dim, embedding, shape.layer_norm_eps)
    return model


def new_head(dim: int, embedding: Tensor, seed: int = 1) -> dict[str, Tensor]:
    """Returns a random language model head for a model without one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = LanguageModelHead(dim, nn.Parameter(embedding))
    return {HEAD + name: value.detach() for name, value in head.state_dict().items()}
