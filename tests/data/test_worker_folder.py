import pytest

# in the place of the one that an edited fairseq has of its own
OURS = """(
    setattr(iterators, "share_worker_folder", plan_iterator.share_worker_folder),
    plan_iterator.PlanIterator(Plan(rows), **settings),
)[1]"""


@pytest.mark.parametrize("killed", ["[]", "workers", "[os.getpid()]", "[0]"])
def test_workers_leave_nothing_behind(left_by_workers, killed):
    assert left_by_workers(OURS, killed) == []
