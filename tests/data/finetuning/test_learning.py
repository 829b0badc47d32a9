"""What the kinds of tasks share: the loss of labels, and predictions batch by batch."""

import pytest
import torch

from fairseq_amber.data.finetuning.classification import Classification
from fairseq_amber.data.finetuning.kinds import KINDS
from fairseq_amber.data.finetuning.learning import Decoding, label_texts, learning_of
from fairseq_amber.data.finetuning.question_answering import QuestionAnswering
from fairseq_amber.data.finetuning.tagging import Tagging


def test_the_learning_of_each_kind():
    found = [type(learning_of(kind)) for kind in KINDS.values()]
    assert found == [Tagging, Classification, QuestionAnswering]


def test_the_loss_is_a_sum_over_labelled_things():
    scores = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 3.0], [4.0, 4.0, 4.0]])
    batch = {"target": torch.tensor([1, -1, 0])}
    expected = -scores.log_softmax(1)[[0, 2], [1, 0]].sum()
    torch.testing.assert_close(Tagging().loss(scores, batch, pad=1), expected)
    assert Tagging().loss(scores, {"target": torch.tensor([-1] * 3)}, pad=1) == 0


def test_the_loss_of_answers_leaves_padding_out():
    scores = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0))
    tokens = torch.tensor([[0, 7, 2, 1, 1], [0, 8, 2, 9, 2]])  # 1 is the padding
    batch = {"net_input": {"src_tokens": tokens}, "target": torch.tensor([[1, 2], [0, 0]])}
    short = -scores[0, :3].log_softmax(0)[[1, 2], [0, 1]].mean()
    full = -scores[1].log_softmax(0)[[0, 0], [0, 1]].mean()
    torch.testing.assert_close(QuestionAnswering().loss(scores, batch, pad=1), short + full)


@pytest.mark.parametrize("learning", [Tagging(), Classification()])
def test_the_best_label_is_chosen(learning):
    scores = torch.tensor([[0.1, 0.2], [3.0, -1.0], [0.0, 0.5]])
    chosen = learning.choose(scores, {}, Decoding())
    assert chosen.tolist() == [1, 0, 1]
    assert label_texts(chosen, ["no", "yes"]) == ["yes", "no", "yes"]


def test_predictions_of_tagging_are_those_of_its_sentences():
    chosen, batch = torch.tensor([1, 0, 0, 1]), {"words": [1, 3]}
    assert Tagging().predictions(chosen, batch, ["O", "X"]) == [["X"], ["O", "O", "X"]]


def test_the_outputs_of_a_head():
    assert Tagging().outputs(["O", "X", "Y"]) == 3 and QuestionAnswering().outputs([]) == 2
