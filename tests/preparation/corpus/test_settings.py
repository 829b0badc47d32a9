"""The flags of the command are the settings, with their defaults."""

from __future__ import annotations

from dataclasses import asdict

from fairseq_amber.cli import build_parser
from fairseq_amber.preparation.corpus.settings import FilterSettings, VocabularySettings


def test_each_setting_is_a_flag_with_its_default():
    flags = vars(build_parser("prepare").parse_args(["prepare", "raw", "data-bin"]))
    for settings in (VocabularySettings(), FilterSettings()):
        for name, value in asdict(settings).items():
            assert flags[name] == value and type(flags[name]) is type(value), name
