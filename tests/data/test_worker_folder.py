import pytest

OURS = "PlanIterator(Plan(rows), **settings)"


@pytest.mark.parametrize("killed", ["[]", "workers", "[os.getpid()]", "[0]"])
def test_workers_leave_nothing_behind(left_by_workers, killed):
    assert left_by_workers(OURS, killed) == []
