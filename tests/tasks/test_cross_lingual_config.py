"""Settings of the task that are out of their range."""

import os
from argparse import Namespace
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.errors import UserError
from fairseq_amber.tasks import cross_lingual_config
from fairseq_amber.tasks.cross_lingual_config import CrossLingualAlignmentConfig, data_folders

SENTENCES = Needs(mlm=False, tlm=False, alignment=False, sentences=True)


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"parallel_share": 0.0}, "--parallel-share 0.0 is not between 0 and 1; to leave one"),
        ({"parallel_share": float("nan")}, "--parallel-share nan is not between"),
        ({"multilang_sampling_alpha": -0.1}, "--multilang-sampling-alpha -0.1 is not between"),
        ({"update_freq": [0]}, "--update-freq 0 is not 1 or more"),
        ({"mask_prob": 1.5}, "--mask-prob 1.5 is not between 0 and 1"),
        ({"random_token_prob": 0.95}, "add up to more than 1"),
        ({"tokens_per_sample": 0}, "--tokens-per-sample 0 is less than 5"),
        ({"tokens_per_sample": -8}, "--tokens-per-sample -8 is less than 5"),
        ({"update_tokens": 0}, "--update-tokens 0 is not 1 or more"),
        ({"update_examples": -1}, "--update-examples -1 is not 1 or more"),
        (
            {"update_tokens": 4096, "update_examples": 32},
            "--update-tokens and --update-examples: both state one size; drop either",
        ),
        (
            {"sentence_segments": True, "sentence_rows": "block"},
            "--sentence-segments cuts a row of several lines .*: add --sentence-rows document",
        ),
        ({"sentence_segments": True}, "add --sentence-rows document"),
        ({"data": ":"}, "the data folders ':' have an empty name"),
        ({"languages": "de,xx"}, "--languages: unknown language 'xx'; .*mono has de, en"),
        ({"pairs": "en-de"}, r"unknown pair 'en-de' \(the pair is stored as de-en\)"),
    ],
)
def test_a_setting_out_of_range(make_task, setting, message):
    with ends_with(message):
        make_task(**setting).load_dataset("train")


def test_data_folders_are_separated_as_paths_are():
    folders = data_folders(Namespace(data=os.pathsep.join(["a/b", "c"])))
    assert folders == [Path("a/b"), Path("c")]
    for names in ([""], ["a/b", "", "c"], ["a/b", ""]):
        with pytest.raises(UserError, match="have an empty name: separate them by one"):
            data_folders(Namespace(data=os.pathsep.join(names)))


@pytest.mark.parametrize(
    "needs, settings, warned",
    [
        (Needs(), {"mask_prob": 0.2, "parallel_share": 0.3, "pair_order": "given"}, []),
        (SENTENCES, {"tokens_per_sample": 32, "multilang_sampling_alpha": 0.0}, []),
        (
            SENTENCES,
            {"mask_prob": 0.2, "parallel_share": 0.3, "languages": "de", "pair_order": "given"},
            [
                "monolingual text: --languages",
                "both kinds of text: --parallel-share",
                "rows of both sentences: --pair-order",
                "masked tokens: --mask-prob",
            ],
        ),
        (
            Needs(tlm=False),
            {"pair_order": "given", "pair_positions": "xlm"},
            ["masked pairs: --pair-order"],
        ),
        (Needs(tlm=False, alignment=False), {"pairs": "de-en"}, ["pairs: --pairs"]),
    ],
)
def test_settings_of_what_no_term_reads_are_named(monkeypatch, needs, settings, warned):
    found = []
    monkeypatch.setattr(cross_lingual_config, "warn", found.append)
    cfg = CrossLingualAlignmentConfig(data="x", **settings)
    cross_lingual_config.warn_of_unread(cfg, needs)
    assert found == [
        f"no effect, because no term of this criterion reads {text}" for text in warned
    ]


def test_the_task_warns_of_them_when_it_knows_its_criterion(make_task, caplog):
    task = make_task(mask_prob=0.3)
    task.build_model(OmegaConf.create({"_name": "amber_tiny"}))
    cfg = TransportConfig(
        _name="ot_alignment",
        ot_points="subwords",
        finetune_from_model=None,
        restore_file="checkpoint_last.pt",
    )
    task.build_criterion(OmegaConf.structured(cfg))
    assert "no term of this criterion reads masked tokens: --mask-prob" in caplog.text
