"""An update of ``amber`` gives the same gradient however it is cut into ranks and micro-batches."""

from functools import partial

import pytest

from fairseq_amber.criterions.amber import AmberCriterionConfig
from update_cuts import Cut, assert_the_cut_does_not_matter, distance, run_updates

pytestmark = pytest.mark.distributed

NOTHING = dict(mlm_weight=0.0, tlm_weight=0.0, wa_weight=0.0, sa_weight=0.0)
ALL = {
    "the paper's": {},
    "sentences by themselves": dict(wa_weight=0.0, sa_negatives="all", sa_symmetric=True),
    "with states of words": dict(
        wa_map="states", wa_target="self", wa_target_threshold=0.1, wa_layer=1
    ),
    "with transport": dict(ot_weight=1.0, anchor_weight=0.1, ot_scope="sentence"),
}
ONE = {
    # Pairs are read only for a term that needs them.
    "mlm": {**NOTHING, "mlm_weight": 1.0, "tlm_weight": 1e-12},
    "tlm": {**NOTHING, "tlm_weight": 1.0},
    "wa": {**NOTHING, "wa_weight": 1.0},
    "wa of states": {**NOTHING, "wa_weight": 1.0, "wa_map": "states", "wa_map_temperature": 4.0},
    "wa of states together": {
        **NOTHING,
        "wa_weight": 1.0,
        "wa_map": "states",
        "wa_map_encoding": "joint",
        "wa_target": "self",
        "wa_target_threshold": 0.1,
    },
    "sa": {**NOTHING, "sa_weight": 1.0},
    "sa of the own languages": {**NOTHING, "sa_weight": 1.0, "sa_negatives": "pair"},
    "sa beside mlm": {**NOTHING, "mlm_weight": 0.1, "sa_weight": 1.0},
    "sa among all": {"sa_negatives": "all"},
}


def config(**settings):
    start = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")
    return AmberCriterionConfig(_name="amber", **start, **settings)


@pytest.mark.parametrize("size", ["update_freq", "update_tokens", "update_examples"])
@pytest.mark.parametrize("terms", ALL)
def test_the_cut_does_not_matter(build_run, tmp_path, terms, size):
    assert_the_cut_does_not_matter(partial(build_run, config(**ALL[terms])), size, tmp_path)


@pytest.mark.parametrize("terms", ONE)
def test_the_cut_does_not_matter_to_a_term(build_run, tmp_path, terms):
    run_of = partial(build_run, config(**ONE[terms]))
    assert_the_cut_does_not_matter(run_of, "update_examples", tmp_path)


def test_an_update_without_pairs_is_cut_too(build_run, tmp_path):
    run_of = partial(build_run, config(**ALL["with transport"]))
    assert_the_cut_does_not_matter(run_of, "few_examples", tmp_path)


def test_pooled_transport_is_that_of_a_micro_batch(build_run, tmp_path):
    """The same micro-batches on more ranks are the same update; other micro-batches are not."""
    pooled = config(ot_weight=1.0, anchor_weight=0.1, ot_scope="batch")
    assert_the_cut_does_not_matter(partial(build_run, pooled), "update_freq", tmp_path)
    build = build_run(pooled, update_tokens=2000)
    gradients = [
        run_updates(build, Cut(1, 1, {"max_tokens": limit}), tmp_path, updates=1).gradients[0]
        for limit in (5000, 700)
    ]
    assert distance(*gradients) > 1e-2


@pytest.mark.parametrize("scope", ["step", "rank"])
def test_fewer_candidates_are_another_objective(build_run, tmp_path, scope):
    """If the candidates of other steps did not matter, the tests above would show nothing."""
    gradients = [
        run_updates(
            build_run(config(sa_candidates=chosen)), Cut(1, 4, {"max_tokens": 900}), tmp_path
        )
        for chosen in ("update", scope)
    ]
    assert distance(gradients[1].gradients[0], gradients[0].gradients[0]) > 1e-2
