"""A run that begins from a pretrained model has its shape, its weights and its states."""

import logging
import shutil
from dataclasses import asdict

import pytest
import torch
from omegaconf import OmegaConf

from fairseq_amber.convert.reading import read_source
from fairseq_amber.criterions.encoded_sentences import encode_pairs
from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.errors import UserError
from fairseq_amber.models.architectures import preset
from hugging_face_folders import save_bert
from transport_twins import ALONE, batches


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


def settings(source, arch="amber", **given):
    values = dict(dropout=0.0, attention_dropout=0.0, from_pretrained=str(source), **given)
    return OmegaConf.create({**preset(arch), "_name": arch, **values})


@pytest.fixture
def begin(make_task, pretrained, pretrained_data):
    """``(source=pretrained, **model settings)``: the task, its model, and the model's settings."""

    def build(source=pretrained, **given):
        task = make_task(data=str(pretrained_data))
        cfg = settings(source, **given)
        return task, task.build_model(cfg), cfg

    return build


def test_the_states_of_the_first_batch_are_those_of_transformers(begin, pretrained):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    task, model, _ = begin()
    criterion = task.build_criterion(
        OmegaConf.structured(TransportConfig(_name="ot_alignment", **ALONE))
    )
    sample = batches(task)[0]
    theirs = transformers.AutoModel.from_pretrained(pretrained).eval()
    for trained in (model.train(), criterion.transport.frozen.model):
        (block,) = encode_pairs(trained, sample, 2)
        real = block.tokens.ne(1)  # both number the tokens alike
        with torch.no_grad():
            expected = theirs(block.tokens, attention_mask=real.long()).last_hidden_state
        torch.testing.assert_close(block.states[real], expected[real], atol=1e-5, rtol=1e-5)


def test_the_settings_get_the_shape_so_that_the_model_builds_without_the_folder(begin, caplog):
    with caplog.at_level(logging.INFO):
        task, model, cfg = begin(arch="amber_large")
    assert (cfg._name, cfg.encoder_layers, cfg.encoder_embed_dim, cfg.max_positions) == (
        *("amber", 2, 16, 64),
    )
    assert "which is not --arch amber_large" in caplog.text
    assert "3 of the" in caplog.text and "rows of the embedding have no token" in caplog.text
    cfg.from_pretrained = "gone"
    rebuilt = task.build_model(cfg, from_checkpoint=True)
    rebuilt.load_state_dict(model.state_dict(), strict=True)
    with ends_with("there is no folder gone here"):
        task.build_criterion(OmegaConf.structured(TransportConfig(_name="ot_alignment", **ALONE)))


def test_what_does_not_fit_ends_in_one_line(begin, make_task, pretrained, data_folder, tmp_path):
    with ends_with("--encoder-layers 7: .*xlmr has 2 there"):
        begin(encoder_layers=7)
    begin(encoder_layers=2)
    remedy = "fairseq-amber prepare RAW DATA_BIN \\(or prepare-task\\) --tokenizer"
    with ends_with(f"dict.txt is not the dictionary that .*xlmr was .*: {remedy} .*xlmr$"):
        make_task(data=str(data_folder)).build_model(settings(pretrained))
    with ends_with("there is no folder nowhere here, and nothing is downloaded"):
        begin("nowhere")
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    with ends_with("is not the dictionary that .*bert was trained with"):
        begin(save_bert(tmp_path / "bert"))


def test_a_run_has_one_beginning_and_goes_on_from_its_own(begin, pretrained, tmp_path, caplog):
    task, _, _ = begin()
    run = dict(save_dir=str(tmp_path), restore_file="checkpoint_last.pt", finetune_from_model=None)
    for other in ("finetune_from_model", "restore_file"):
        with pytest.raises(UserError, match=f"--from-pretrained and --{other.replace('_', '-')}:"):
            task.pretrained.begin(settings(pretrained), OmegaConf.create({**run, other: "x.pt"}))
    saved = {"model": {}, "optimizer_history": [{"num_updates": 1}]}
    saved["cfg"] = {"model": {"_name": "amber", "encoder_layers": 5}, "task": {}}
    saved["cfg"]["model"]["from_pretrained"] = f"{pretrained}/../{pretrained.name}/"
    torch.save(saved, tmp_path / "checkpoint_last.pt")
    cfg = settings(pretrained)
    assert task.pretrained.begin(cfg, OmegaConf.create(run)) is False
    assert "what stays frozen" not in caplog.text
    task.pretrained.path = "gone"
    assert task.pretrained.begin(cfg, OmegaConf.create(run)) is False
    assert "not as gone: what stays frozen is read from gone" in caplog.text
    assert cfg.encoder_layers == 5 and cfg.encoder_embed_dim == 768
    with pytest.raises(UserError, match="--encoder-layers 4: .*checkpoint_last.pt has 5 there"):
        task.pretrained.begin(settings(pretrained, encoder_layers=4), OmegaConf.create(run))


def test_the_anchor_may_be_another_folder(begin, pretrained, pretrained_data, make_task, tmp_path):
    other = shutil.copytree(pretrained, tmp_path / "other")
    source = read_source(other)
    task = make_task(data=str(pretrained_data))
    task.build_model(OmegaConf.create({**asdict(source.model.shape), "_name": "amber"}))
    config = TransportConfig(_name="ot_alignment", **ALONE, anchor_checkpoint=str(other))
    frozen = task.build_criterion(OmegaConf.structured(config)).transport.frozen
    for name, value in frozen.model.state_dict().items():
        assert torch.equal(value, source.model.weights[name]), name


@pytest.fixture
def fine_tuned(make_fine_tuning, shape, tmp_path):
    """A checkpoint of the tagging task, far from its data folder, and its model."""

    def save(**task_state):
        task, model, _ = make_fine_tuning("tagging")
        state = {"model": model.state_dict(), "task_state": {**task.state_dict(), **task_state}}
        model_settings = {"_name": "amber", **shape}
        run = {"model": model_settings, "task": {"data": "gone", "tokens_per_sample": 16}}
        torch.save({**state, "args": None, "cfg": run}, tmp_path / "best.pt")
        return tmp_path / "best.pt", model

    return save


def test_a_head_goes_with_its_task(make_fine_tuning, fine_tuned, caplog):
    path, saved = fine_tuned()
    task, *_ = make_fine_tuning("tagging")
    with caplog.at_level(logging.WARNING):
        model = task.build_model(settings(path))
    assert "rows of 24 here have positions that never trained" in caplog.text
    for name, value in saved.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    task, *_ = make_fine_tuning("classification")
    with caplog.at_level(logging.INFO):
        model = task.build_model(settings(path))
    assert "leaving out the checkpoint's head for tagging" in caplog.text
    assert [*model.heads] == ["classification"]


def test_a_head_for_other_labels_or_another_dictionary(make_fine_tuning, fine_tuned):
    task, *_ = make_fine_tuning("tagging")
    with ends_with("best.pt was fine-tuned with the labels O, B-A, X but .* has O, B-A, I-A: give"):
        task.build_model(settings(fine_tuned(labels=["O", "B-A", "X"])[0]))
    with ends_with("dict.txt is not the dictionary that .*best.pt was trained with; prepare the"):
        task.build_model(settings(fine_tuned(dictionary="another")[0]))
