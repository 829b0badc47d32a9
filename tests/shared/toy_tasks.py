"""Prepared fine-tuning tasks over the toy dictionary, and the fairseq tasks that train on them."""

import argparse
import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from fairseq.tasks import FairseqTask
from omegaconf import OmegaConf

from toy_corpora import WORDS


@pytest.fixture(scope="session")
def write_task():
    """``(folder, task, {(split, language): examples}, labels=[...])``: writes a prepared task, as
    ``fairseq-amber prepare-task`` does, over the toy dictionary, and returns the folder.

    Examples are, of tagging: sentences, lists of (subword ids of a word, label, which of the
    subwords bears it); of classification: (first ids, second ids, label); of qa: (contexts,
    [(context's index, question ids, first and last subword of the answer)]), whose subwords are
    words between spaces.
    """
    from fairseq_amber.data.finetuning.kinds import kind_of

    arrays_of = {"tagging": _tagging, "classification": _classification, "qa": _questions}

    def write(folder: Path, task: str, splits, labels=()) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        kind = kind_of(task).name
        content = {"task": task, "kind": kind, "labels": list(labels), "splits": {}}
        for (split, language), examples in splits.items():
            arrays = arrays_of[kind](*examples) if kind == "qa" else arrays_of[kind](examples)
            assert set(arrays) == set(kind_of(task).arrays)
            np.savez(folder / f"{split}.{language}.npz", **arrays)
            count = len(examples[1] if kind == "qa" else examples)
            entry = {"examples": count, "sources": ["toy"]}
            content["splits"].setdefault(split, {})[language] = entry
            if kind == "qa":
                text = json.dumps(_squad(*examples))
                (folder / f"{split}.{language}.json").write_text(text, encoding="utf-8")
        (folder / "task.json").write_text(json.dumps(content), encoding="utf-8")
        if labels:
            (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
        (folder / "dict.txt").write_text("".join(f"w{word} 1\n" for word in range(WORDS)))
        return folder

    return write


def _flat(lists, dtype=np.int32):
    return np.array([x for some in lists for x in some], dtype)


def _lengths(lists):
    return np.array([len(some) for some in lists], np.int32)


def _tagging(sentences):
    words, labels, heads = zip(*(word for sentence in sentences for word in sentence))
    return {
        "tokens": _flat(words),
        "word_lengths": _lengths(words),
        "word_heads": np.array(heads, np.int32),
        "sentence_lengths": _lengths(sentences),
        "labels": np.array(labels, np.int16),
    }


def _classification(pairs):
    first, second, labels = zip(*pairs)
    return {
        "first_tokens": _flat(first),
        "first_lengths": _lengths(first),
        "second_tokens": _flat(second),
        "second_lengths": _lengths(second),
        "labels": np.array(labels, np.int16),
    }


def _questions(contexts, questions):
    offsets = []
    for context in contexts:
        begin = 0
        for token in context:
            offsets.append((begin, begin + len(f"w{token - 4}")))
            begin = offsets[-1][1] + 1
    paragraphs, texts, answers = zip(*questions)
    return {
        "context_tokens": _flat(contexts),
        "context_lengths": _lengths(contexts),
        "context_offsets": np.array(offsets, np.int32).reshape(-1, 2),
        "question_tokens": _flat(texts),
        "question_lengths": _lengths(texts),
        "paragraph": np.array(paragraphs, np.int32),
        "answer_tokens": np.array(answers, np.int32).reshape(-1, 2),
    }


def _squad(contexts, questions):
    def text(tokens):
        return " ".join(f"w{token - 4}" for token in tokens)

    paragraphs = []
    for number, (index, question, (first, last)) in enumerate(questions):
        context = contexts[index]
        start = len(text(context[:first])) + (first > 0)
        answer = {"text": text(context[first : last + 1]), "answer_start": start}
        entry = {"id": f"q{number}", "question": text(question)}
        entry["answers"] = [answer] if first >= 0 else []
        paragraphs.append({"context": text(context), "qas": [entry]})
    return {"version": "1.1", "data": [{"title": "toy", "paragraphs": paragraphs}]}


@pytest.fixture(scope="session")
def toy_tasks(tmp_path_factory, write_task) -> dict:
    """A prepared task of each kind, which a tiny model learns in seconds. Tagging: the ids modulo 3
    of a word's first subword. Classification: whether the second sentence is of high ids or of low.
    Question answering: two neighbours, 42 and 43, that every context holds once."""
    root = tmp_path_factory.mktemp("tasks")
    makers = {
        "tagging": ("ner", _toy_sentences, ["O", "B-A", "I-A"]),
        "classification": ("pawsx", _toy_pairs, ["0", "1"]),
        "qa": ("squad", _toy_questions, []),
    }
    sizes = {("train", "en"): 120, ("valid", "en"): 25, ("valid", "de"): 10, ("test", "de"): 10}
    folders = {}
    for kind, (task, make, labels) in makers.items():
        splits = {
            place: make(np.random.default_rng(seed), count)
            for seed, (place, count) in enumerate(sizes.items())
        }
        folders[kind] = write_task(root / task, task, splits, labels)
    return folders


@pytest.fixture
def make_fine_tuning(toy_tasks, make_model):
    """``(kind, seed=0, model=dict(), **settings)``: the task over its toy folder, a model with a
    head, and the criterion, as fairseq-train puts them together."""
    from fairseq.tasks import TASK_REGISTRY

    import fairseq_amber.criterions.xtreme
    import fairseq_amber.tasks.xtreme  # noqa: F401

    rows = dict(max_length=24)
    windows = dict(**rows, doc_stride=8, max_query_length=4)
    of_kind = {"tagging": rows, "classification": rows, "qa": windows}

    def build(kind, seed=0, model=None, criterion=None, **settings):
        cls = TASK_REGISTRY[f"xtreme_{kind}"]
        values = dict(data=str(toy_tasks[kind]), seed=1, update_freq=[1], train_subset="train")
        values.update(disable_validation=False, finetune_from_model=None, save_dir="nowhere")
        values.update(restore_file="checkpoint_last.pt", **of_kind[kind])
        values.update(best_checkpoint_metric="loss", maximize_best_checkpoint_metric=False)
        cfg = OmegaConf.structured(cls.__dataclass(**{**values, **settings}))
        task = cls.setup_task(cfg)
        made = make_model(seed, **(model or {}))
        with patch.object(FairseqTask, "build_model", lambda *args: made):
            task.build_model(argparse.Namespace(_name="amber_tiny"))
        name = criterion or f"xtreme_{kind}"
        return task, made, task.build_criterion(OmegaConf.create({"_name": name}))

    return build


def _draw(rng, low, high, longest):
    return rng.integers(low, high, rng.integers(1, longest + 1)).tolist()


def _toy_sentences(rng, count):
    sentences = [[_draw(rng, 4, 44, 3) for _ in range(rng.integers(1, 15))] for _ in range(count)]
    return [[(word, word[0] % 3, 0) for word in sentence] for sentence in sentences]


def _toy_pairs(rng, count):
    pairs = []
    for label in rng.integers(0, 2, count).tolist():
        second = _draw(rng, 34, 44, 9) if label else _draw(rng, 4, 14, 9)
        pairs.append((_draw(rng, 14, 34, 9), second, label))
    return pairs


def _toy_questions(rng, count):
    contexts, questions = [], []
    for index in range(count):
        before, after = _draw(rng, 4, 42, 20), _draw(rng, 4, 42, 20)
        contexts.append([*before, 42, 43, *after])
        answer = (len(before), len(before) + 1)
        questions.append((index, _draw(rng, 4, 42, 5), answer))
    return contexts, questions
