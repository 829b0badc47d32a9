"""Settings of a run that the tasks do not support end in one line, before the model is built."""

import pytest
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.models.shapes import SHAPES
from fairseq_amber.tasks.encoder_task import EncoderTask


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


def small(**settings):
    return OmegaConf.create({"_name": "amber_tiny", **settings})


def test_architectures(make_task):
    for name in ("roberta_base", "transformer", "nothing"):
        with ends_with(f"--arch {name} is another model: give .*{', '.join(SHAPES)[:10]}"):
            make_task().build_model(small(_name=name))
    with ends_with("no architecture is given: give one of this package's, amber, amber_base"):
        make_task().build_model(None)


def test_criterions(make_task, make_fine_tuning):
    ours = "amber or contrastive_alignment or l2_alignment or ot_alignment"
    for name in ("masked_lm", "xtreme_tagging"):
        message = f"--criterion {name} does not go with --task .*: give --criterion {ours}$"
        with ends_with(message):
            make_task().build_criterion(OmegaConf.create({"_name": name}))
    with ends_with("--criterion amber does not go with --task .*: give --criterion xtreme_qa$"):
        make_fine_tuning("qa", criterion="amber")
    make_task().build_criterion(OmegaConf.structured(AmberCriterionConfig(_name="amber")))


def test_programs_for_other_models(make_task):
    with ends_with("fairseq-generate and fairseq-interactive write text"):
        make_task().build_generator([], None)
    with ends_with("fairseq-eval-lm measures models that read from left to right"):
        make_task().eval_lm_dataloader(None)


def test_each_task_says_what_it_takes():
    with pytest.raises(NotImplementedError):
        EncoderTask.takes(object)
