import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.loss_curves import plot_curves, read_curves


@pytest.fixture
def logdir(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    for part in ("train_inner", "train", "valid"):
        with SummaryWriter(str(tmp_path / "run" / part)) as writer:
            for update in (10, 20, 30):
                writer.add_scalar("mlm_loss", 100 / update, update)
                writer.add_scalar("best_loss", 1, update)
                writer.add_scalar("wps", 5000, update)
            if part == "train_inner":  # resumed at 20: the later value of 30 counts
                writer.add_scalar("mlm_loss", 0.5, 30)
    return tmp_path / "run"


def test_curves_hold_the_losses_alone_and_the_last_value_of_an_update(logdir):
    curves = read_curves(logdir)
    assert set(curves.train) == set(curves.valid) == {"mlm_loss"}
    assert curves.train["mlm_loss"].updates == [10, 20, 30]
    assert curves.train["mlm_loss"].values == [10, 5, 0.5]


def test_curves_fall_back_to_epochs(logdir):
    (logdir / "train_inner").rename(logdir / "other")
    assert read_curves(logdir).train["mlm_loss"].values[-1] == pytest.approx(100 / 30)


def test_a_folder_without_curves_is_refused(tmp_path):
    with pytest.raises(UserError, match="--tensorboard-logdir"):
        read_curves(tmp_path)


def test_draws_curves_in_every_format(logdir, tmp_path):
    curves = read_curves(logdir)
    paths = [tmp_path / "a.png", tmp_path / "a.svg"]
    plot_curves({"one": curves, "two": curves}, paths)
    from matplotlib.image import imread

    assert min(imread(paths[0]).shape[:2]) > 300
    assert "<svg" in paths[1].read_text()
