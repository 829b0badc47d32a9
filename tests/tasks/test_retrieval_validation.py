import math

import numpy as np
import pytest
import torch
from fairseq import metrics

from fairseq_amber.data.layout import Specials, sentence_row
from fairseq_amber.errors import UserError
from fairseq_amber.metrics.retrieval import retrieval_accuracy
from fairseq_amber.tasks.retrieval_validation import RetrievalValidation, check_best_metric
from toy_corpora import write_binarised


def measured(validation, model, row_tokens=64, batch_tokens=None, split="valid"):
    validation.begin(split, row_tokens, batch_tokens)
    validation.measure(model)
    with metrics.aggregate(new_root=True) as log:
        validation.log()
        validation.log()
    return log.get_smoothed_values()


@pytest.fixture
def several(folder, random_sentences):
    """Validation pairs: de-en 7, tr-en 30, of which some lack a side and some are copies."""
    for side, language in enumerate(("tr", "en")):
        sentences = random_sentences(30, 77 + side, low=3)
        sentences[4 + side] = np.array([], dtype=np.int64)
        sentences[20], sentences[25] = sentences[10], sentences[10]
        write_binarised(folder / "parallel" / "tr-en" / f"valid.tr-en.{language}", sentences)
    return folder


def by_hand(task, model, corpus, indices, longest=62):
    specials = Specials.of(task.dictionary)
    sides = []
    for side in zip(*(corpus[i] for i in indices)):
        vectors = []
        for ids in side:
            row = torch.from_numpy(sentence_row(ids[:longest], specials))[None]
            with torch.no_grad():
                vectors.append(model.eval()(row, features_only=True)[0][0].float().mean(0))
        sides.append(torch.stack(vectors))
    return retrieval_accuracy(*sides)


def test_it_is_the_accuracy_of_sentences_encoded_one_by_one(several, make_task, make_model):
    task, model = make_task(data=str(several)), make_model()
    validation = RetrievalValidation(8, None, task.dictionary)
    validation.open(several, "valid")
    found = measured(validation, model)
    whole = [i for i in range(30) if i not in (4, 5)]
    turkish = [whole[i] for i in (0, 4, 8, 12, 15, 19, 23, 27)]  # about every fourth
    expected = {}
    for corpus, indices in zip(validation._splits["valid"], (range(7), turkish)):
        expected[corpus.name] = by_hand(task, model, corpus, indices)
    assert set(expected) == {"de-en", "tr-en"}
    for pair, accuracy in expected.items():
        assert found[f"retrieval/{pair}"] == pytest.approx(accuracy.mean, abs=0.01)
        assert found[f"retrieval_forward/{pair}"] == pytest.approx(accuracy.forward, abs=0.01)
        assert found[f"retrieval_backward/{pair}"] == pytest.approx(accuracy.backward, abs=0.01)
    mean = sum(accuracy.mean for accuracy in expected.values()) / 2
    assert 0 < mean < 100 and found["retrieval"] == pytest.approx(mean, abs=0.01)


def test_a_corpus_against_itself_is_perfect_and_batches_do_not_matter(
    several, make_task, make_model, random_sentences
):
    for language in ("de", "en"):
        write_binarised(
            several / "parallel" / "de-en" / f"valid.de-en.{language}", random_sentences(9, 5)
        )
    task, model = make_task(data=str(several)), make_model()
    validation = RetrievalValidation(1000, None, task.dictionary)
    validation.open(several, "valid")
    found = measured(validation, model)
    assert found["retrieval/de-en"] == 100 and 0 < found["retrieval/tr-en"] < 100
    assert measured(validation, model, batch_tokens=1) == found
    assert measured(validation, model, row_tokens=5) != found  # long sentences are cut


def test_it_is_measured_once_for_each_validation(data_folder, make_task, make_model):
    task = make_task()
    validation = RetrievalValidation(5, "de-en", task.dictionary)
    validation.open(data_folder, "valid")
    first, second = make_model(0), make_model(1)
    found = measured(validation, first)
    validation.measure(second)
    with metrics.aggregate(new_root=True) as log:
        validation.log()
    assert log.get_smoothed_values() == found
    assert measured(validation, second) != found
    assert measured(validation, second, split="test") == {}


def test_a_model_that_overflows_logs_nan_and_says_so(several, make_task, make_model, caplog):
    task, model = make_task(data=str(several)), make_model()
    validation = RetrievalValidation(8, None, task.dictionary)
    validation.open(several, "valid")
    with torch.no_grad():
        next(model.parameters()).fill_(float("inf"))
    found = measured(validation, model)
    assert len(found) == 9 and all(map(math.isnan, found.values()))
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 2
    assert warnings[0] == "the retrieval accuracy of de-en is nan: a vector is NaN or infinite"


def test_training_steps_log_none(make_task, make_model):
    from omegaconf import OmegaConf

    from fairseq_amber.criterions.amber import AmberCriterionConfig

    task, model = make_task(validate_retrieval=5), make_model()
    criterion = task.build_criterion(OmegaConf.structured(AmberCriterionConfig(_name="amber")))
    task.load_dataset("train")
    task.load_dataset("valid")
    batches = task.get_batch_iterator(task.datasets["valid"], max_tokens=600)
    for training in (True, False):
        criterion.train(training)
        sample = next(iter(batches.next_epoch_itr(shuffle=False)))
        outputs = [task.valid_step(sample, model, criterion)[2]]
        with metrics.aggregate(new_root=True) as log:
            task.reduce_metrics(outputs, criterion)
        assert ("retrieval" in log) is not training


def test_a_split_without_pairs_is_refused(data_folder, dictionary):
    validation = RetrievalValidation(5, "tr-en", dictionary)
    with pytest.raises(UserError, match="--validate-retrieval: .*parallel has no valid pairs"):
        validation.open(data_folder, "valid")
    RetrievalValidation(0, "tr-en", dictionary).open(data_folder, "valid")


@pytest.mark.parametrize("metric", ["retrieval/fr-en", "retrieval_forward/de", "retrieval/"])
def test_the_best_checkpoint_is_not_chosen_by_a_pair_that_is_not_there(
    several, make_task, make_model, metric
):
    from omegaconf import OmegaConf

    from fairseq_amber.criterions.amber import AmberCriterionConfig

    task = make_task(
        data=str(several),
        validate_retrieval=5,
        best_checkpoint_metric=metric,
        maximize_best_checkpoint_metric=True,
    )
    criterion = task.build_criterion(OmegaConf.structured(AmberCriterionConfig(_name="amber")))
    with pytest.raises(SystemExit, match=f"{metric}: the valid pairs of .* are de-en, tr-en"):
        task.load_dataset("valid")
    criterion.eval()  # as fairseq-validate does
    task.load_dataset("valid")
    validation = RetrievalValidation(5, None, task.dictionary)
    for there in ("retrieval/tr-en", "retrieval_backward/de-en", "retrieval", "loss", "ppl/fr-en"):
        validation.open(several, "valid", there)


@pytest.mark.parametrize("valid", ["train", "valid,train"])
def test_the_training_text_is_not_measured(make_task, valid):
    with pytest.raises(SystemExit, match=f"--valid-subset is {valid}; leave train out of it"):
        make_task(validate_retrieval=5, valid_subset=valid)
    make_task(validate_retrieval=0, valid_subset=valid)


@pytest.mark.parametrize(
    "limit, metric, maximize, message",
    [
        (-1, "loss", False, "-1 is not a number of pairs"),
        (0, "retrieval", True, "retrieval needs --validate-retrieval"),
        (9, "retrieval/de-en", False, "add --maximize-best-checkpoint-metric"),
    ],
)
def test_a_metric_that_cannot_be_had_is_refused(limit, metric, maximize, message):
    with pytest.raises(UserError, match=message):
        check_best_metric(limit, metric, maximize)


def test_metrics_that_can_be_had():
    check_best_metric(0, "loss", False)
    check_best_metric(9, "sa_accuracy", True)
    check_best_metric(9, "retrieval_forward", True)
