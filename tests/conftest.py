"""A toy dictionary, toy models and a toy data folder, shared by the tests."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

import fairseq  # noqa: E402, F401  (first, so that the plugin registers itself)
from fairseq.data import Dictionary  # noqa: E402
from fairseq.data.indexed_dataset import MMapIndexedDataset, MMapIndexedDatasetBuilder  # noqa: E402
from fairseq.tasks import FairseqTask  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402

import fairseq_amber  # noqa: E402, F401

WORDS = 40


def pytest_collection_modifyitems(items):
    """Files with slow tests and whole runs first: processes that share the work end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    whole = Path(__file__).parent
    items.sort(key=lambda item: item.path not in slow and item.path.parent != whole)


@pytest.fixture
def progress_of(monkeypatch):
    """Commands say how far they are at every update; finds, in what one has said on stderr, the
    last count of each stage, such as {"checking": "3 of 3 files"}."""
    from fairseq_amber import cli, progress

    always = progress.Pace(0)
    monkeypatch.setattr(cli, "command_progress", lambda: progress.command_progress(always))
    line = re.compile(r"fairseq-amber: (.+): (.+ of .+) \(\d+ %\), .*\d left", re.ASCII)
    return lambda error: dict(m.groups() for m in map(line.fullmatch, error.splitlines()) if m)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Torch before 2 computes no layer norm and no GELU in float16 on CPUs."""
    try:
        return (yield)
    except Exception as error:
        if re.search('"(LayerNorm|Gelu)KernelImpl" not implemented', str(error)):
            pytest.skip("this torch needs a GPU for float16")
        raise


@pytest.fixture(scope="session")
def dictionary() -> Dictionary:
    """``<s> <pad> </s> <unk> w0 ... w39 <mask>``."""
    symbols = Dictionary()
    for word in range(WORDS):
        symbols.add_symbol(f"w{word}")
    symbols.add_symbol("<mask>")
    return symbols


@pytest.fixture(scope="session")
def shape() -> dict:
    """Of the toy models, in fairseq's names."""
    return dict(
        encoder_layers=2,
        encoder_embed_dim=16,
        encoder_ffn_embed_dim=32,
        encoder_attention_heads=4,
        max_positions=64,
        dropout=0.0,
        attention_dropout=0.0,
    )


@pytest.fixture
def make_model(dictionary, shape):
    """Builds a seeded toy ``amber`` model; keyword arguments override its shape."""
    from fairseq_amber.models.amber import AmberConfig, AmberModel

    def build(seed: int = 0, **overrides):
        torch.manual_seed(seed)
        task = argparse.Namespace(source_dictionary=dictionary)
        model = AmberModel.build_model(AmberConfig(**{**shape, **overrides}), task)
        with torch.no_grad():  # BERT's start is so small that every map would be uniform
            for name, parameter in model.named_parameters():
                if name.endswith("weight") and parameter.dim() == 2:
                    parameter.mul_(10)
        return model

    return build


def write_binarised(path: Path, sentences) -> None:
    """A ``.bin`` / ``.idx`` pair as fairseq-preprocess writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    builder = MMapIndexedDatasetBuilder(f"{path}.bin", dtype=np.uint16)
    for sentence in sentences:
        builder.add_item(torch.tensor([*sentence, 2]))  # </s>
    builder.finalize(f"{path}.idx")


@pytest.fixture(scope="session")
def random_sentences():
    """``(count, seed, low, high) -> `` sentences of word ids, low to high tokens each."""

    def draw(count: int, seed: int, low: int = 1, high: int = 12):
        rng = np.random.default_rng(seed)
        return [rng.integers(4, 4 + WORDS, rng.integers(low, high + 1)) for _ in range(count)]

    return draw


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory, random_sentences) -> Path:
    """mono: de 60, en 200; parallel: de-en 90, tr-en 30; valid: de 5, en 5, de-en 7."""
    folder = tmp_path_factory.mktemp("data-bin")
    (folder / "dict.txt").write_text("".join(f"w{word} 1\n" for word in range(WORDS)))
    for seed, (language, split, count) in enumerate(
        [("de", "train", 60), ("en", "train", 200), ("de", "valid", 5), ("en", "valid", 5)]
    ):
        write_binarised(folder / "mono" / language / split, random_sentences(count, seed))
    for seed, (pair, split, count) in enumerate(
        [("de-en", "train", 90), ("tr-en", "train", 30), ("de-en", "valid", 7)], start=10
    ):
        for side, language in enumerate(pair.split("-")):
            write_binarised(
                folder / "parallel" / pair / f"{split}.{pair}.{language}",
                random_sentences(count, 100 * seed + side),
            )
    return folder


@pytest.fixture(scope="session")
def word_folder(tmp_path_factory, data_folder) -> Path:
    """The toy data folder, whose even ids begin a word as SentencePiece writes it."""
    folder = tmp_path_factory.mktemp("words") / "data-bin"
    shutil.copytree(data_folder, folder, ignore=shutil.ignore_patterns("dict.txt"))
    symbols = (f"{_word_start(word)}w{word} 1\n" for word in range(WORDS))
    (folder / "dict.txt").write_text("".join(symbols))
    return folder


def _word_start(word: int) -> str:
    return "\u2581" if word % 2 == 0 else ""


@pytest.fixture(scope="session")
def link_folder(tmp_path_factory, word_folder) -> Path:
    """Random links, in Pharaoh format, of the words of each pair; some of a word with several."""
    folder = tmp_path_factory.mktemp("links")
    rng = np.random.default_rng(0)
    for index in sorted(word_folder.glob("parallel/*/*.idx")):
        split, pair, language, _ = index.name.split(".")
        if language != pair.split("-")[0]:
            continue
        sides = (MMapIndexedDataset(f"{index.parent}/{split}.{pair}.{x}") for x in pair.split("-"))
        lines = []
        for sentences in zip(*sides):
            lengths = [1 + sum(int(token) % 2 == 0 for token in s[1:-1]) for s in sentences]
            links = rng.integers(0, lengths, (rng.integers(0, 6), 2)).tolist()
            lines.append(" ".join(f"{i}-{j}" for i, j in links) + "\n")
        (folder / f"{split}.{pair}.align").write_text("".join(lines))
    return folder


@pytest.fixture
def make_task(data_folder):
    """Builds the task on the toy data folder; keyword arguments override its config."""
    from fairseq_amber.tasks.cross_lingual_alignment import (
        CrossLingualAlignmentConfig,
        CrossLingualAlignmentTask,
    )

    def build(**overrides):
        settings = dict(data=str(data_folder), tokens_per_sample=64, seed=1)
        settings.update(update_freq=[1], train_subset="train", valid_subset="valid")
        settings.update(disable_validation=False)
        settings.update(best_checkpoint_metric="loss", maximize_best_checkpoint_metric=False)
        settings.update(overrides)
        cfg = OmegaConf.structured(CrossLingualAlignmentConfig(**settings))
        return CrossLingualAlignmentTask.setup_task(cfg)

    return build


WITH_WORKERS = """
import multiprocessing, os, signal, torch
import fairseq, fairseq_amber
from fairseq.data import ListDataset, iterators
from fairseq_amber.data import plan_iterator

class Plan(list):
    update_freq = 1
    def __getitem__(self, which):
        return self if isinstance(which, slice) else super().__getitem__(which)

rows = [[number] for number in range(1000)]
data = ListDataset([torch.tensor(row) for row in rows])
settings = dict(dataset=data, collate_fn=torch.stack, num_workers=2)
epoch = {iterator}.next_epoch_itr()
print(next(epoch).tolist(), next(epoch).tolist(), flush=True)
workers = [worker.pid for worker in multiprocessing.active_children()]
assert len(workers) == 2 and os.listdir(os.environ["TMPDIR"])
for process in {killed}:
    os.kill(process, signal.SIGKILL)
"""


@pytest.fixture
def left_by_workers():
    """``(iterator, killed) ->`` what a process that reads ``iterator`` with two workers, kills the
    processes ``killed`` (0: itself with all workers) and ends leaves in the temporary folder."""

    def run(iterator: str, killed: str) -> list:
        with tempfile.TemporaryDirectory() as folder:  # short: a socket's path has 107 bytes
            return left_in(folder, iterator, killed)

    def left_in(folder: str, iterator: str, killed: str) -> list:
        code = WITH_WORKERS.format(iterator=iterator, killed=killed)
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "TMPDIR": folder},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        assert done.stdout.endswith("[[0]] [[1]]\n"), done.stderr
        for _ in range(200):  # workers look every five seconds whether their parent lives
            left = [path for path in os.listdir(folder) if path.startswith("pymp-")]
            if not left:
                break
            time.sleep(0.1)
        return left

    return run


@pytest.fixture(scope="session")
def write_task():
    """``(folder, task, {(split, language): examples}, labels=[...])``: writes a prepared task, as
    ``fairseq-amber prepare-task`` does, over the toy dictionary, and returns the folder.

    Examples are, of tagging: sentences, lists of (subword ids of a word, label, which of the
    subwords bears it); of classification: (first ids, second ids, label); of qa: (contexts,
    [(context's index, question ids, first and last subword of the answer)]), whose subwords are
    words between spaces.
    """
    from fairseq_amber.data.finetuning.task_folder import ARRAYS, KINDS

    arrays_of = {"tagging": _tagging, "classification": _classification, "qa": _questions}

    def write(folder: Path, task: str, splits, labels=()) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        kind = KINDS[task]
        content = {"task": task, "kind": kind, "labels": list(labels), "splits": {}}
        for (split, language), examples in splits.items():
            arrays = arrays_of[kind](*examples) if kind == "qa" else arrays_of[kind](examples)
            assert set(arrays) == set(ARRAYS[kind])
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
    from fairseq_amber.tasks.xtreme import XtremeClassificationTask, XtremeQaTask, XtremeTaggingTask

    tasks = {cls.kind: cls for cls in (XtremeTaggingTask, XtremeClassificationTask, XtremeQaTask)}
    rows = dict(max_length=24)
    windows = dict(**rows, doc_stride=8, max_query_length=4)
    of_kind = {"tagging": rows, "classification": rows, "qa": windows}

    def build(kind, seed=0, model=None, criterion=None, **settings):
        cls = tasks[kind]
        values = dict(data=str(toy_tasks[kind]), seed=1, update_freq=[1], train_subset="train")
        values.update(disable_validation=False, finetune_from_model=None, save_dir="nowhere")
        values.update(restore_file="checkpoint_last.pt", **of_kind[kind])
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
