"""What identifies the gold of a split."""

from fairseq_amber.data.finetuning.classification import ClassificationGold
from fairseq_amber.data.finetuning.question_answering import AnswerGold
from fairseq_amber.data.finetuning.tagging import TaggingGold


def sentence(*labels):
    return [([5], label, 0) for label in labels]


def test_the_digest_is_of_the_gold_that_is_scored(folder):
    def of_labels(*labels):
        pairs = [([5], [6], label) for label in labels]
        return ClassificationGold(folder("xnli", pairs, ["a", "b"]), "test", "de").digest()

    def of_words(*sentences):
        gold = [sentence(*labels) for labels in sentences]
        return TaggingGold(folder("pos", gold, ["ADJ", "NOUN"]), "test", "de").digest()

    def of_answer(*tokens):
        question = (0, [5], tokens)
        return AnswerGold(folder("squad", ([[5, 6, 7]], [question])), "test", "de").digest()

    assert of_labels(0, 1, -1) == of_labels(0, -1, 1) != of_labels(1, 0)
    assert of_words((0, 1), (1,)) == of_words((0, 1), (-1,), (1,)) != of_words((0,), (1, 1))
    assert of_answer(0, 1) == of_answer(0, 1) != of_answer(1, 1)
