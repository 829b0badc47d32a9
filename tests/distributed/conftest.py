"""Runs whose micro-batches have several blocks, built anew on every rank."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from toy_corpora import word_dictionary, write_binarised, write_links


@pytest.fixture(scope="session")
def long_folder(tmp_path_factory, random_sentences) -> Path:
    """Like ``word_folder``, with longer sentences; its word links are in ``links``."""
    folder = tmp_path_factory.mktemp("long") / "data-bin"
    for language, count in (("de", 50), ("en", 150)):
        write_binarised(folder / "mono" / language / "train", random_sentences(count, count, 1, 28))
    for pair, count in (("de-en", 90), ("tr-en", 30)):
        for side, language in enumerate(pair.split("-")):
            path = folder / "parallel" / pair / f"train.{pair}.{language}"
            write_binarised(path, random_sentences(count, 2 * count + side, 1, 28))
    (folder / "dict.txt").write_text(word_dictionary())
    (folder / "links").mkdir()
    write_links(folder, folder / "links")
    return folder


@pytest.fixture
def build_run(make_task, make_model, long_folder):
    """``(config, **settings)`` of a criterion and of the task: returns a function that builds the
    task, the model in fp64, and the criterion, whose frozen encoder is another model."""

    def run_of(config, **settings):
        def build():
            task = make_task(data=str(long_folder), **settings)
            task.model = make_model(seed=1)
            own = OmegaConf.structured(config)
            if "l2_links" in own:
                own.l2_links = str(long_folder / "links")
            if own.get("contrast_units") == "words":
                own.contrast_links = str(long_folder / "links")
            torch.manual_seed(7)
            criterion = task.build_criterion(own).train().double()
            task.model = make_model(seed=2).double()
            return task, task.model, criterion

        return build

    return run_of
