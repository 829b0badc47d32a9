"""Writes the head of a fine-tuned checkpoint as the class that transformers has for it."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from fairseq_amber.convert.pretrained import Head

_CLASSES = {
    "tagging": "ForTokenClassification",
    "classification": "ForSequenceClassification",
    "qa": "ForQuestionAnswering",
}
_PREFIXES = {"bert": "Bert", "xlm-roberta": "XLMRoberta"}
# The names of our parts in transformers. BERT's pooler is the dense layer of RoBERTa's head.
_PARTS = {
    ("tagging", "bert"): {"out_proj": "classifier"},
    ("tagging", "xlm-roberta"): {"out_proj": "classifier"},
    ("classification", "bert"): {"dense": "bert.pooler.dense", "out_proj": "classifier"},
    ("classification", "xlm-roberta"): {
        "dense": "classifier.dense",
        "out_proj": "classifier.out_proj",
    },
    ("qa", "bert"): {"out_proj": "qa_outputs"},
    ("qa", "xlm-roberta"): {"out_proj": "qa_outputs"},
}


class ExportedHead(NamedTuple):
    """A head as transformers has it.

    Attributes:
        architecture: the class that loads it.
        weights: its weights, by their names there.
        config: its entries of config.json.
    """

    architecture: str
    weights: dict[str, Tensor]
    config: dict[str, Any]


def export_head(head: Head, model_type: str) -> ExportedHead:
    """Names the parts of a head as transformers does.

    Args:
        head: the head.
        model_type: ``bert`` or ``xlm-roberta``.
    """
    parts = _PARTS[head.kind, model_type]
    weights = {}
    for name, value in head.weights.items():
        part, _, parameter = name.rpartition(".")
        weights[f"{parts[part]}.{parameter}"] = value.float().contiguous()
    config: dict[str, Any] = {}
    if head.kind != "qa":
        count = len(head.weights["out_proj.bias"])
        labels = list(head.labels) if len(head.labels) == count else []
        labels = labels or [f"LABEL_{number}" for number in range(count)]
        config["id2label"] = {str(number): label for number, label in enumerate(labels)}
        config["label2id"] = {label: number for number, label in enumerate(labels)}
    return ExportedHead(_PREFIXES[model_type] + _CLASSES[head.kind], weights, config)
