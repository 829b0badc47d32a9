"""The flags of the criterion ``amber``, as ``fairseq-train`` reads them."""

import pytest
from fairseq import options

from fairseq_amber.criterions import terms
from fairseq_amber.criterions.amber_config import AmberCriterionConfig, check
from fairseq_amber.errors import UserError


def flags(*arguments):
    names = {"task": "cross_lingual_alignment", "arch": "amber_tiny", "criterion": "amber"}
    given = [word for name, value in names.items() for word in (f"--{name}", value)]
    parser = options.get_training_parser(names["task"])
    return options.parse_args_and_arch(parser, ["data", *given, *arguments])


def test_without_flags_the_loss_is_the_papers_sum_of_four_terms():
    cfg = AmberCriterionConfig()
    weights = [cfg.mlm_weight, cfg.tlm_weight, cfg.wa_weight, cfg.sa_weight]
    assert weights == [1.0] * 4 and cfg.ot_weight == cfg.anchor_weight == 0
    read = vars(flags())
    for name in ("sa_negatives", "sa_candidates", "sa_pooling", "sa_temperature", "wa_heads"):
        assert read[name] == getattr(cfg, name)
    assert cfg.sa_negatives == "update" == cfg.sa_candidates


@pytest.mark.parametrize("name", ["pair", "update", "all"])
def test_the_command_line_names_the_negatives(name):
    assert str(flags("--sa-negatives", name).sa_negatives) == name


def test_other_negatives_are_refused(capsys):
    with pytest.raises(SystemExit):
        flags("--sa-negatives", "mono")
    assert "--sa-negatives" in capsys.readouterr().err


@pytest.mark.parametrize(
    "settings, warnings",
    [
        (dict(wa_map="states", wa_heads="0", sa_normalize=True), []),
        (
            dict(wa_map="states", wa_heads="0", wa_weight=0.0, sa_normalize=True),
            ["no effect with --wa-weight 0: --wa-map, --wa-heads"],
        ),
        (dict(sa_layer=2, sa_weight=0.0), ["no effect with --sa-weight 0: --sa-layer"]),
        (dict(wa_weight=0.0, sa_weight=0.0), []),
    ],
)
def test_settings_of_a_term_that_is_left_out_are_named(monkeypatch, settings, warnings):
    warned = []
    monkeypatch.setattr(terms, "warn", warned.append)
    check(AmberCriterionConfig(**settings))
    assert warned == warnings


def test_special_tokens_of_no_mean():
    """The flag was left out in silence."""
    message = "--sa-skip-special-tokens has no effect on --sa-pooling cls: drop either"
    with pytest.raises(UserError, match=message):
        check(AmberCriterionConfig(sa_skip_special_tokens=True, sa_pooling="cls"))
