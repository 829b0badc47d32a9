"""Prepared tasks with examples at random, and checkpoints with random heads for them."""

import random

import pytest
import torch

from fairseq_amber.tokenizers.dictionary import fingerprint

LABELS = {
    "pos": ["ADJ", "NOUN", "VERB", "X"],
    "ner": ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"],
    "xnli": ["contradiction", "entailment", "neutral"],
    "squad": [],
    "mlqa": [],
}


KINDS = {"pos": "tagging", "ner": "tagging", "xnli": "classification"}


TRAINING = {"max_length": 24, "doc_stride": 5, "max_query_length": 4, "train_languages": "en"}


def subwords(rng, low, high):
    return [rng.randrange(4, 44) for _ in range(rng.randrange(low, high + 1))]


def examples(task, language, count=9, blank=False):
    rng = random.Random(f"{task} {language}")
    if task in ("pos", "ner"):
        return [
            [
                (subwords(rng, 1, 3), -1 if blank else rng.randrange(len(LABELS[task])), 0)
                for _ in range(rng.choice((1, 4, 30)))
            ]
            for _ in range(count)
        ]
    if task == "xnli":
        return [
            (subwords(rng, 1, 20), subwords(rng, 1, 20), -1 if blank else rng.randrange(3))
            for _ in range(count)
        ]
    contexts = [subwords(rng, 1, 60) for _ in range(count)]
    answers = [sorted(rng.choices(range(len(context)), k=2)) for context in contexts]
    return contexts, [
        (number, subwords(rng, 1, 7), (-1, -1) if blank else answer)
        for number, answer in enumerate(answers)
    ]


@pytest.fixture
def prepared(tmp_path, write_task):
    """Writes a task with the test split alone: de and en with gold, tr without."""

    def build(task, **overrides):
        splits = {
            ("test", language): examples(task, language, blank=language == "tr")
            for language in ("de", "en", "tr")
            if not (task == "mlqa" and language == "tr")
        }
        splits.update(overrides.pop("splits", {}))
        return write_task(tmp_path / task, task, splits, overrides.get("labels", LABELS[task]))

    return build


@pytest.fixture
def fine_tuned(tmp_path, make_model, dictionary, shape):
    """Writes a checkpoint with a random head, as training on a task writes it.

    changes: of what the task keeps; training: its settings; overrides: of the model's shape.
    """

    def build(task, seed=0, changes=(), training=TRAINING, **overrides):
        model = make_model(seed, **overrides)
        kind = KINDS.get(task, "qa")
        model.add_head(kind, len(LABELS[task]) or 2)
        with torch.no_grad():
            for parameter in model.heads.parameters():
                parameter.normal_(std=2)
        state = {"dictionary": fingerprint(dictionary), "task": task, "kind": kind}
        path = tmp_path / f"{task}.{seed}.pt"
        torch.save(
            {
                "args": None,
                "cfg": {
                    "model": {"_name": "amber", **shape, **overrides},
                    "task": {"data": "where/it/was/trained", **training},
                },
                "model": model.state_dict(),
                "optimizer_history": [{"num_updates": 7}],
                "task_state": {**state, "labels": LABELS[task], **dict(changes)},
            },
            path,
        )
        return path

    return build


@pytest.fixture
def evaluate(fairseq_amber_command):
    def run(*arguments):
        status, output, error = fairseq_amber_command("evaluate", *arguments, "--device", "cpu")
        assert status == 0, error
        return output

    return run
