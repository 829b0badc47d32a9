"""Tag scores against seqeval, on tags well and ill formed."""

import random
import warnings

import pytest

from fairseq_amber.metrics.tagging import TagCounts, count_tags, tag_scores

ENTITIES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
UPOS = ["NOUN", "X", "_", "SCONJ", "CCONJ", "INTJ", "SYM", "ADP", "ADV", "AUX", "PRON", "PROPN"]
ODD = ["B", "I", "E", "S", "O", ".", "B-", "I-x-y", "S-A", "E-A", "E-", "OTHER", ".A", "X-A", "I-A"]


def seqeval_scores(predicted, gold):
    metrics = pytest.importorskip("seqeval.metrics")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "f1": 100 * metrics.f1_score(gold, predicted),
            "precision": 100 * metrics.precision_score(gold, predicted),
            "recall": 100 * metrics.recall_score(gold, predicted),
            "accuracy": 100 * metrics.accuracy_score(gold, predicted) if any(gold) else 0.0,
        }


@pytest.mark.parametrize("tags", [ENTITIES, UPOS, ODD, ENTITIES + UPOS + ODD])
def test_equals_seqeval(tags):
    rng = random.Random(len(tags))
    for _ in range(300):
        some = rng.sample(tags, rng.randrange(2, len(tags) + 1))
        gold = [rng.choices(some, k=rng.randrange(8)) for _ in range(rng.randrange(1, 6))]
        predicted = [[t if rng.random() < 0.6 else rng.choice(some) for t in s] for s in gold]
        ours = tag_scores(count_tags(predicted, gold))
        assert ours == pytest.approx(seqeval_scores(predicted, gold)), (predicted, gold)


@pytest.mark.parametrize(
    ("predicted", "gold", "counts"),
    [
        ("B-A I-A O", "B-A I-A O", (1, 1, 1, 3, 3)),
        ("B-A O O", "B-A I-A O", (0, 1, 1, 2, 3)),  # a shorter chunk is another chunk
        ("I-A I-A O", "B-A I-A O", (1, 1, 1, 2, 3)),  # I after O begins one all the same
        ("B-A I-B O", "B-A B-B O", (2, 2, 2, 2, 3)),  # and so does I of another type
        ("NOUN NOUN VERB", "NOUN NOUN VERB", (2, 2, 2, 3, 3)),  # equal neighbours merge
        ("NOUN DET VERB", "NOUN NOUN VERB", (1, 3, 2, 2, 3)),
        ("SCONJ DET", "CCONJ DET", (2, 2, 2, 1, 2)),  # both of the type CONJ
        ("O O", "O O", (0, 0, 0, 2, 2)),
    ],
)
def test_counts(predicted, gold, counts):
    assert count_tags([predicted.split()], [gold.split()]) == counts


def test_counts_of_batches_add_up():
    rng = random.Random(1)
    gold = [rng.choices(ENTITIES, k=6) for _ in range(40)]
    predicted = [rng.choices(ENTITIES, k=6) for _ in range(40)]
    parts = (count_tags(predicted[i : i + 7], gold[i : i + 7]) for i in range(0, 40, 7))
    assert sum(parts, TagCounts()) == count_tags(predicted, gold)


@pytest.mark.parametrize("empty", [[], [[]]])
def test_nothing_scores_nothing(empty):
    assert tag_scores(count_tags(empty, empty)) == {
        "f1": 0.0,
        "precision": 0.0,
        "recall": 0.0,
        "accuracy": 0.0,
    }


def test_every_word_needs_a_tag():
    with pytest.raises(ValueError, match="differ"):
        count_tags([["O"]], [["O", "O"]])
