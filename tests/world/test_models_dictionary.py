"""A damaged dict.txt, wherever one is read."""

import random
import re

import pytest

from fairseq_amber.cli import main
from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.dictionary import load_dictionary

CONTENT = "".join(f"▁wort{i} {i + 1}\n" for i in range(20)).encode()


def damaged():
    rng = random.Random(5)
    for _ in range(150):
        data = bytearray(CONTENT)
        for _ in range(rng.choice((1, 1, 4))):
            data[rng.randrange(len(data))] = rng.choice(
                (0, 10, 13, 32, 35, 255, rng.randrange(256))
            )
        yield bytes(data)
    for end in range(0, len(CONTENT), 7):
        yield CONTENT[:end]


def test_each_damage_is_named_by_its_line(tmp_path):
    """A dictionary that was cut short ended in the traceback of whichever command read it."""
    refused = 0
    for data in damaged():
        (tmp_path / "dict.txt").write_bytes(data)
        try:
            load_dictionary(tmp_path)
        except UserError as error:
            assert "\n" not in str(error)
            assert re.search(r"dict\.txt:\d+: |dict\.txt is empty", str(error)), error
            refused += 1
    assert refused > 100


def test_training_names_it_too(tmp_path):
    from fairseq.tasks import TASK_REGISTRY

    from fairseq_amber.tasks.cross_lingual_config import CrossLingualAlignmentConfig

    (tmp_path / "dict.txt").write_bytes(CONTENT[: CONTENT.index("▁wort2".encode()) + 5])
    task = TASK_REGISTRY["cross_lingual_alignment"]
    with pytest.raises(SystemExit, match=rf"error: {tmp_path}/dict\.txt:3: expected"):
        task.setup_task(CrossLingualAlignmentConfig(data=str(tmp_path), update_freq=[1]))


def test_convert_names_it(tmp_path, capsys):
    import torch

    tables = {
        f"encoder.sentence_encoder.{name}.weight": torch.zeros(9, 4)
        for name in ("embed_tokens", "embed_positions")
    }
    architecture = {"_name": "amber", "encoder_attention_heads": 2}
    state = {"model": tables, "cfg": {"model": architecture, "task": {"data": str(tmp_path)}}}
    torch.save(state, tmp_path / "model.pt")
    (tmp_path / "dict.txt").write_bytes(b"a 1\n\xff 1\n")
    assert main(["convert", str(tmp_path), str(tmp_path / "out")]) == 2
    assert f"{tmp_path}/dict.txt:2: not UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
