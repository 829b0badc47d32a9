"""Settings of the task that are out of their range."""

import os
from argparse import Namespace
from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.tasks.cross_lingual_config import data_folders


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
