"""Settings of optimal transport that are out of range, or contradict each other."""

import importlib.util

import pytest

from fairseq_amber.criterions import terms
from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.criterions.transport_config import TransportConfig, point_settings

AMBER = dict(config=AmberCriterionConfig, name="amber", mlm_weight=0.0, tlm_weight=0.0)


@pytest.mark.parametrize(
    "flags, field, value",
    [
        (dict(ot_points="subwords"), "words", False),
        (dict(ot_special_tokens=True), "special_tokens", True),
        (dict(ot_scope="sentence"), "pooled", False),
        (dict(ot_equal_sentences=True), "equal_sentences", True),
        (dict(ot_marginals="idf"), "idf", True),
        (dict(ot_target_language="de"), "target_language", "de"),
    ],
)
def test_a_flag_changes_one_setting_of_the_points(flags, field, value):
    default = point_settings(TransportConfig())
    assert getattr(default, field) != value
    assert point_settings(TransportConfig(**flags)) == default._replace(**{field: value})


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(ot_p=3), "--ot-p 3"),
        (dict(ot_mass=1.5), "--ot-mass 1.5"),
        (dict(ot_epsilon=0.0), "--ot-epsilon 0.0"),
        (dict(ot_solver="sinkhorn", ot_epsilon=1e-20), "--ot-epsilon 1e-20 is too low for costs"),
        (
            dict(ot_solver="sinkhorn", ot_epsilon=1e-9, ot_kernel="triton"),
            "--ot-epsilon 1e-09 is too low for costs up to 2: .* allows 1.5e-05 or more",
        ),
        (
            dict(ot_solver="sinkhorn", ot_scope="sentence", ot_position_weight=1e30),
            "--ot-epsilon 0.1 is too low for costs up to 1e[+]30",
        ),
        (dict(ot_solver="sinkhorn", ot_epsilon=float("nan")), "--ot-epsilon nan"),
        (dict(ot_solver="sinkhorn", ot_iterations=0), "--ot-iterations 0 is less than 1"),
        (dict(ot_solver="sinkhorn", ot_iterations=-3), "--ot-iterations -3 is less than 1"),
        (dict(ot_solver="sinkhorn", ot_mass=1e-44), "--ot-mass 1e-44 is less than 1e-30"),
        (dict(ot_blur=1e-200), "--ot-blur 1e-200 is not between 1e-09 and 1e"),
        (dict(ot_blur=float("inf")), "--ot-blur inf is not between"),
        (dict(ot_scaling=0.9999999), "--ot-scaling 0.9999999 is not above 0 and at most 0.9999"),
        (dict(ot_scaling=float("nan")), "--ot-scaling nan is not above 0"),
        (dict(ot_solver="sinkhorn", ot_mass=0.5, ot_reach=1.0), "either partial or unbalanced"),
        (dict(ot_reach=1.0), "--ot-reach has no effect"),
        (dict(ot_solver="sinkhorn", ot_position_weight=1.0), "--ot-scope sentence"),
        (dict(ot_epsilon=0.2), "--ot-epsilon has no effect on --ot-solver divergence"),
        (dict(ot_solver="sinkhorn", ot_blur=0.1), "--ot-blur has no effect"),
        (dict(ot_solver="exact", ot_iterations=9), "--ot-iterations has no effect"),
        (dict(ot_equal_sentences=True, ot_scope="sentence"), "no effect on --ot-scope sentence"),
        (
            dict(ot_solver="sinkhorn", ot_kernel="triton", ot_mass=0.5),
            "--ot-kernel triton knows neither",
        ),
        (dict(ot_layer=9), "--ot-layer 9"),
        (dict(anchor_checkpoint="nowhere.pt"), "nowhere.pt does not exist"),
        (dict(ot_weight=0.0, anchor_weight=0.0), "every term"),
        (dict(anchor_weight=-1.0), "--anchor-weight -1.0"),
    ],
)
def test_bad_settings_are_refused(build_transport, settings, message):
    with pytest.raises(SystemExit, match=message):
        build_transport(**settings)


def test_amber_refuses_to_describe_a_transport_that_it_leaves_out(build_transport):
    with pytest.raises(SystemExit, match="--ot-epsilon has no effect without --ot-weight"):
        build_transport(**AMBER, ot_solver="divergence", ot_epsilon=0.2)


def test_amber_wants_one_layer_for_both_terms_that_read_sentences(build_transport):
    with pytest.raises(SystemExit, match="--ot-layer 2 and --sa-layer 1 differ"):
        build_transport(**AMBER, ot_weight=1.0, sa_layer=1)


def test_exact_transport_without_its_package(build_transport, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="--ot-solver exact needs POT: pip install POT"):
        build_transport(ot_solver="exact")


def test_settings_of_a_transport_beside_which_the_anchor_alone_counts(build_transport, monkeypatch):
    warned = []
    monkeypatch.setattr(terms, "warn", warned.append)
    build_transport(ot_weight=0.0, ot_blur=0.1, ot_points="subwords")
    assert warned == ["no effect with --ot-weight 0: --ot-blur"]
