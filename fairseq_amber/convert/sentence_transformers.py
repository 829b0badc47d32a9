"""What the package sentence-transformers reads beside a Hugging Face folder."""

from __future__ import annotations

from fairseq_amber.convert.folder import OutputFolder
from fairseq_amber.convert.pretrained import Shape
from fairseq_amber.files.json_file import json_file

POOLINGS = ("mean", "cls")


def write_pooling(folder: OutputFolder, shape: Shape, pooling: str) -> None:
    """Sentence vectors of the last layer: the mean over all tokens, ``<s>`` and ``</s>`` included,
    or the state of ``<s>``, as ``fairseq-amber retrieve --pooling`` has them."""
    if pooling not in POOLINGS:
        raise ValueError(f"pooling {pooling!r} is none of {', '.join(POOLINGS)}")
    parts = ("Transformer", ""), ("Pooling", "1_Pooling")
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for number, (kind, path) in enumerate(parts)
    ]
    folder.put("modules.json", json_file(modules))
    folder.put(
        "sentence_bert_config.json",
        json_file({"max_seq_length": shape.max_positions, "do_lower_case": False}),
    )
    folder.put(
        "1_Pooling/config.json",
        json_file(
            {
                "word_embedding_dimension": shape.encoder_embed_dim,
                "pooling_mode_cls_token": pooling == "cls",
                "pooling_mode_mean_tokens": pooling == "mean",
                "pooling_mode_max_tokens": False,
                "pooling_mode_mean_sqrt_len_tokens": False,
            }
        ),
    )
