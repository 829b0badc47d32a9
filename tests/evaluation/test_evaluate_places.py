"""`fairseq-amber evaluate --predictions` writes over nothing but predictions."""

import json

import pytest


@pytest.mark.parametrize(
    ("task", "name", "raw"),
    [
        ("pos", "udpos/test-en.tsv", "Hund\tNOUN\n"),
        ("pos", "udpos/test-en.tsv", "Hund\nNOUN\n"),
        ("xnli", "xnli/test-en.tsv", "a\tb\tneutral\n"),
        ("squad", "xquad/test-en.json", json.dumps({"data": []})),
    ],
)
def test_the_raw_files_of_xtreme_stay(
    task, name, raw, prepared, fine_tuned, evaluate, fairseq_amber_command, tmp_path
):
    """XTREME's folder of test files has the names of a submission, whose files took their place."""
    folder, checkpoint, out = prepared(task), fine_tuned(task), tmp_path / "download"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text(raw)
    arguments = ["evaluate", checkpoint, folder, "--predictions", out, "--device", "cpu"]
    status, _, err = fairseq_amber_command(*arguments)
    assert status == 2 and "holds something else than predictions" in err
    assert [path for path in out.rglob("*") if path.is_file()] == [out / name]
    assert (out / name).read_text() == raw

    (out / name).write_text("")  # and predictions make room for others
    for _ in range(2):
        evaluate(checkpoint, folder, "--predictions", out)
    assert (out / name).read_text() not in ("", raw)


def test_no_language_is_written_without_the_others(
    prepared, fine_tuned, fairseq_amber_command, tmp_path
):
    folder, checkpoint = prepared("pos"), fine_tuned("pos")
    out = tmp_path / "out"
    (out / "udpos" / "test-en.tsv").mkdir(parents=True)
    arguments = ["evaluate", checkpoint, folder, "--device", "cpu"]
    status, _, err = fairseq_amber_command(*arguments, "--predictions", out)
    assert status == 2 and "test-en.tsv: it is a folder" in err
    assert [path.name for path in (out / "udpos").iterdir()] == ["test-en.tsv"]
    status, _, err = fairseq_amber_command(*arguments, "--predictions", folder / "task.json")
    assert status == 2 and "task.json is no folder" in err
    both = ["--predictions", tmp_path / "new", "--json", tmp_path / "new" / "udpos" / "test-de.tsv"]
    status, _, err = fairseq_amber_command(*arguments, *both)
    assert status == 2 and "is a file of the predictions" in err
    assert not (tmp_path / "new").exists()
