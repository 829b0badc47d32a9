"""The registered model ``amber``: the encoder behind fairseq's interface."""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel, FairseqEncoder, register_model
from torch import nn

from fairseq_amber.errors import exit_clearly
from fairseq_amber.models.attention import CrossBlock, take_tokens
from fairseq_amber.models.checkpoint_weights import (
    check_shapes,
    match_heads,
    under_current_names,
)
from fairseq_amber.models.encoder import LanguageModelHead, SentenceEncoder
from fairseq_amber.models.heads import HEADS
from fairseq_amber.models.shapes import check_shape


@dataclass
class AmberConfig(FairseqDataclass):
    """The shape of the encoder. The defaults are those of XLM-R base (arXiv 1911.02116)."""

    encoder_layers: int = field(default=12, metadata={"help": "number of layers"})
    encoder_embed_dim: int = field(default=768, metadata={"help": "dimension of a state"})
    encoder_ffn_embed_dim: int = field(
        default=3072, metadata={"help": "inner dimension of the feed-forward networks"}
    )
    encoder_attention_heads: int = field(
        default=12, metadata={"help": "attention heads of a layer"}
    )
    max_positions: int = field(
        default=512,
        metadata={"help": "largest length of a row in subwords, with special tokens (XLM-R: 512)"},
    )
    dropout: float = field(
        default=0.1,
        metadata={"help": "dropout probability of embeddings and of residual branches (BERT: 0.1)"},
    )
    attention_dropout: float = field(
        default=0.1, metadata={"help": "dropout probability of attention weights (BERT: 0.1)"}
    )
    activation_dropout: float = field(
        default=0.0, metadata={"help": "dropout probability inside the feed-forward networks"}
    )
    token_types: int = field(
        default=0,
        metadata={"help": "number of token types, i.e. of segment embeddings (XLM-R: 0, BERT: 2)"},
    )
    layer_norm_eps: float = field(
        default=1e-5,
        metadata={"help": "epsilon of the layer norms (XLM-R: 1e-5, BERT: 1e-12)"},
    )
    from_pretrained: Optional[str] = field(
        default=None,
        metadata={
            "help": "begin from this model, in its shape, whatever --arch says: a folder (XLM-R or "
            "BERT, of Hugging Face, fairseq or convert) or checkpoint_*.pt; to resume, from its own"
        },
    )
    freeze_encoder: bool = field(
        default=False,
        metadata={"help": "train the heads alone: the encoder and its embedding stay as they are"},
    )
    checkpoint_activations: bool = field(
        default=False,
        metadata={
            "help": "keep only the inputs of the layers for the backward pass and compute the rest "
            "again there: less memory, more time"
        },
    )


class AmberEncoder(FairseqEncoder):
    """The sentence encoder and the language model head, named as in stock RoBERTa."""

    def __init__(self, cfg: AmberConfig, dictionary):
        super().__init__(dictionary)
        self.sentence_encoder = SentenceEncoder(
            len(dictionary),
            dictionary.pad(),
            layers=cfg.encoder_layers,
            dim=cfg.encoder_embed_dim,
            ffn_dim=cfg.encoder_ffn_embed_dim,
            heads=cfg.encoder_attention_heads,
            max_positions=cfg.max_positions,
            token_types=cfg.token_types,
            layer_norm_eps=cfg.layer_norm_eps,
            checkpoint_activations=cfg.checkpoint_activations,
            dropout=cfg.dropout,
            attention_dropout=cfg.attention_dropout,
            activation_dropout=cfg.activation_dropout,
        )
        self.sentence_encoder.requires_grad_(not cfg.freeze_encoder)
        self.lm_head = LanguageModelHead(
            cfg.encoder_embed_dim,
            self.sentence_encoder.embed_tokens.weight,
            cfg.layer_norm_eps,
        )

    def max_positions(self) -> int:
        """Returns the largest length of a row, in subwords."""
        return self.sentence_encoder.max_positions


@register_model("amber", dataclass=AmberConfig)
class AmberModel(BaseFairseqModel):
    """XLM-R's encoder, with a mask for each row and with the cross attention of any layer.

    A stock ``roberta`` of the same shape loads its checkpoints, and it loads those of ``roberta``.

    Attributes:
        heads: the heads of fine-tuning tasks, by name; empty before ``add_head``.
    """

    def __init__(self, encoder: AmberEncoder):
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict()

    @classmethod
    def build_model(cls, cfg: AmberConfig, task) -> "AmberModel":
        """Builds a model for the dictionary of the task.

        A setting that ``cfg`` lacks takes its default: an old checkpoint lacks newer settings.

        Raises:
            UserError: a setting is out of its range.
        """
        settings = AmberConfig.from_namespace(cfg)
        check_shape(settings)
        return cls(AmberEncoder(settings, task.source_dictionary))

    def add_head(self, name: str, outputs: int) -> None:
        """Adds a head with random weights.

        Args:
            name: ``tagging`` or ``classification``, which use the dropout of the encoder, or
                ``qa``, which has none.
            outputs: the number of outputs.
        """
        encoder = self.encoder.sentence_encoder
        self.heads[name] = HEADS[name](encoder.embed_tokens.embedding_dim, outputs, encoder.dropout)

    def forward(
        self,
        src_tokens: torch.Tensor,
        src_lengths: Optional[torch.Tensor] = None,
        *,
        positions: Optional[torch.Tensor] = None,
        segments: Optional[torch.Tensor] = None,
        prefix_lengths: Optional[torch.Tensor] = None,
        predicted: Optional[Tuple[torch.Tensor, torch.Tensor]] = None,
        masked_tokens: Optional[torch.Tensor] = None,
        cross: Optional[Tuple[torch.Tensor, torch.Tensor]] = None,
        sentence_width: Optional[int] = None,
        attention_layer: Optional[int] = -1,
        sentence_layer: Optional[int] = -1,
        include_diagonal: bool = False,
        features_only: bool = False,
        return_all_hiddens: bool = False,
        head: Optional[str] = None,
        token_indices: Optional[torch.Tensor] = None,
        **unused: Any,
    ) -> Tuple[torch.Tensor, Dict[str, Any]]:
        """Encodes B rows of T tokens, the passes of all objectives together.

        ``models.encoder.SentenceEncoder.forward`` describes the masks and the shapes of the rows.

        Args:
            src_tokens: (B, T) int64, padded on the right.
            src_lengths: unused; the batches of stock fairseq have it.
            positions: (B, T) int64 from 0; by default each row counts from its first token.
            segments: (B, T) int64 token types; by default 0.
            prefix_lengths: (B,) int64 lengths of the rows' prefixes, which the mask depends on; by
                default every token attends to every other token.
            predicted: the tokens to score, by default all: (B', Q) int64 positions in the first B'
                rows, padded, and (M,) int64 indices of the real ones in the flattened positions.
            masked_tokens: the tokens to score, as stock criterions give them: (B, T) bool.
            cross: (R, Q) int64 query and (R, K) int64 key positions of the attention to return,
                for the last R rows.
            sentence_width: the width P of ``sentence_states``; at least the longest prefix of the
                last R rows; None for no such states.
            attention_layer: the layer of ``cross_attention``, from 1; -1 = last, None = none.
            sentence_layer: the layer of ``sentence_states``, from 1; -1 = last, None = none.
            include_diagonal: let a token behind the prefix also attend to itself.
            features_only: return the states of ``sentence_layer`` instead of scores.
            return_all_hiddens: also return the embeddings and the states of every layer.
            head: the head whose scores, with L outputs, are returned; by default the language
                model's.
            token_indices: for ``tagging``: (M,) int64 flat indices ``row * T + column`` of the
                tokens to score.
            unused: other entries of a batch, which are ignored.

        Returns:
            Scores (M, V) or (B, T, V), or states (B, T, D), or scores of a head: ``tagging``
            (M, L), ``classification`` (B, L), ``qa`` (B, T, 2). Then a dict: ``features``
            (B, T, D), None where the last layer was computed in part; ``sentence_states``
            (R, P, D); ``cross_attention`` (R, H, Q, K); ``layers``, a list of (B, T, D), and
            ``inner_states``, the same as fairseq's RoBERTa returns them, (T, B, D).
        """
        if head is not None:
            return self._head_scores(head, src_tokens, positions, segments, token_indices)
        chosen, slots = (None, None) if predicted is None or features_only else predicted
        output = self.encoder.sentence_encoder(
            src_tokens,
            positions=positions,
            segments=segments,
            prefix_lengths=prefix_lengths,
            include_diagonal=include_diagonal,
            predicted=chosen,
            cross=None if cross is None else CrossBlock(*cross),
            sentence_width=sentence_width,
            attention_layer=attention_layer,
            sentence_layer=sentence_layer,
            last_layer=sentence_layer if features_only and sentence_layer is not None else -1,
            return_all_layers=return_all_hiddens,
        )
        extra = {
            "features": output["states"],
            "sentence_states": output["sentence_states"],
            "cross_attention": output["cross_attention"],
            "layers": output["layers"],
            "inner_states": output["layers"] and [x.transpose(0, 1) for x in output["layers"]],
        }
        if features_only:
            return output["states"], extra
        if chosen is not None:
            states = output["predicted_states"]
            if states is None:
                states = take_tokens(output["states"][: chosen.size(0)], chosen)
            states = states.flatten(0, 1).index_select(0, slots)
        else:
            states = output["states"]
            if masked_tokens is not None:
                states = states[masked_tokens]
        return self.encoder.lm_head(states), extra

    def _head_scores(
        self,
        head: str,
        tokens: torch.Tensor,
        positions: Optional[torch.Tensor],
        segments: Optional[torch.Tensor],
        token_indices: Optional[torch.Tensor],
    ) -> Tuple[torch.Tensor, Dict[str, Any]]:
        """Returns what ``forward`` returns for a head of a fine-tuning task."""
        first = tokens.new_zeros(len(tokens), 1) if head == "classification" else None
        output = self.encoder.sentence_encoder(
            tokens, positions=positions, segments=segments, predicted=first
        )
        states = output["states"]
        if first is not None:
            states = output["predicted_states"][:, 0]
        elif token_indices is not None:
            states = states.flatten(0, 1).index_select(0, token_indices)
        return self.heads[head](states), {"features": output["states"]}

    @property
    def depth(self) -> int:
        """The number of layers of the encoder."""
        return len(self.encoder.sentence_encoder.layers)

    def max_positions(self) -> int:
        """Returns the largest length of a row, in subwords."""
        return self.encoder.max_positions()

    def get_normalized_probs(self, net_output, log_probs: bool, sample=None) -> torch.Tensor:
        """Turns scores (..., V) into probabilities or log-probabilities, in fp32."""
        logits = net_output[0].float()
        return logits.log_softmax(dim=-1) if log_probs else logits.softmax(dim=-1)

    @property
    def supported_targets(self):
        """The kind of target that stock tasks ask for: the tokens themselves."""
        return {"self"}

    @exit_clearly
    def upgrade_state_dict_named(self, state_dict: Dict[str, torch.Tensor], name: str) -> None:
        """Renames the weights of older RoBERTa and XLM-R checkpoints, then checks every shape.

        A head that the checkpoint lacks keeps the weights of the model, as fine-tuning begins in
        this way. Heads that the model lacks are left out.

        Raises:
            UserError: the checkpoint has another architecture, another dictionary, or another
                number of labels.
        """
        prefix = name + "." if name else ""
        weights: Dict[str, torch.Tensor] = {}
        for key in [key for key in state_dict if key.startswith(prefix)]:
            weights.update(under_current_names(key[len(prefix) :], state_dict.pop(key)))
        own = self.state_dict()
        match_heads(weights, own)
        check_shapes(weights, own)
        state_dict.update((prefix + key, value) for key, value in weights.items())
