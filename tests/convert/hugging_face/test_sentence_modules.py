"""What follows the encoder in a folder of sentence-transformers is kept, and named."""

import json

import pytest
import torch

from fairseq_amber.errors import UserError

pytest.importorskip("safetensors", reason="safetensors is not installed")

from fairseq_amber.convert.hugging_face.sentence_modules import read_sentence_modules  # noqa: E402
from fairseq_amber.convert.hugging_face.weight_files import read_weights  # noqa: E402

TYPE = "sentence_transformers.models."


def write(folder, *kinds, pooling=None):
    modules = [{"idx": 0, "name": "0", "path": "", "type": f"{TYPE}Transformer"}]
    for number, kind in enumerate(kinds, 1):
        place = folder / f"{number}_{kind}"
        place.mkdir(parents=True, exist_ok=True)
        modules.append({"path": place.name, "type": TYPE + kind})
        if kind == "Pooling":
            (place / "config.json").write_text(json.dumps(pooling))
        if kind == "Dense":
            (place / "config.json").write_text(json.dumps({"in_features": 4, "out_features": 2}))
            torch.save({"linear.weight": torch.ones(2, 4)}, place / "pytorch_model.bin")
    (folder / "modules.json").write_text(json.dumps(modules))
    return folder


def test_a_mean_alone_needs_no_word(tmp_path):
    mean = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    kept = read_sentence_modules(write(tmp_path, "Pooling", pooling=mean))
    assert sorted(kept.files) == ["1_Pooling/config.json", "modules.json"] and not kept.notes
    assert read_sentence_modules(tmp_path / "1_Pooling") == ({}, [])


@pytest.mark.parametrize(
    "pooling, name, hint",
    [
        ({"pooling_mode_cls_token": True}, "cls", "; give them --pooling cls"),
        ({"pooling_mode": "cls"}, "cls", "; give them --pooling cls"),
        ({"pooling_mode_max_tokens": True}, "max", "; they have no such pooling"),
        (
            {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True},
            "mean+max",
            "; they have no such pooling",
        ),
    ],
)
def test_all_else_is_named_and_kept(pooling, name, hint, tmp_path):
    folder = write(tmp_path / "a", "Pooling", "Dense", "Normalize", pooling=pooling)
    kept = read_sentence_modules(folder)
    assert f"has {name} pooling, Dense, Normalize there" in kept.notes[0]
    assert kept.notes[0].endswith(hint)
    for path, data in kept.files.items():
        place = tmp_path / "b" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    assert read_sentence_modules(tmp_path / "b").files == kept.files
    assert torch.equal(read_weights(tmp_path / "b" / "2_Dense")["linear.weight"], torch.ones(2, 4))


def test_prompts_and_lower_case_are_named(tmp_path):
    write(tmp_path, "Pooling", pooling={"pooling_mode": "mean"})
    (tmp_path / "sentence_bert_config.json").write_text('{"do_lower_case": true}')
    prompts = '{"prompts": {"query": "query: "}}'
    (tmp_path / "config_sentence_transformers.json").write_text(prompts)
    notes = read_sentence_modules(tmp_path).notes
    assert "lower case" in notes[0] and "'query: '" in notes[1]


def test_code_of_its_own_is_left_out(tmp_path):
    write(tmp_path)
    modules = json.loads((tmp_path / "modules.json").read_text())
    modules.append({"path": "x", "type": "custom.Pooling"})
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    assert read_sentence_modules(tmp_path).files == {}
    assert "'custom.Pooling', which is code of its own" in read_sentence_modules(tmp_path).notes[0]


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", None, 4])
def test_a_path_stays_in_the_folder(path, tmp_path):
    write(tmp_path)
    modules = [{"path": "", "type": f"{TYPE}Transformer"}, {"path": path, "type": f"{TYPE}Dense"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match="modules.json: the path .* inside of the folder"):
        read_sentence_modules(tmp_path)


@pytest.mark.parametrize("content", ["{}", "[]", "3", "[3]", "[{}]", '[{"type": 1}]', "[", "}, {"])
def test_damage_is_named(content, tmp_path):
    (tmp_path / "modules.json").write_text(content)
    with pytest.raises(UserError, match="modules.json is damaged"):
        read_sentence_modules(tmp_path)
