"""How the build fails when it cannot have the official archive."""

from __future__ import annotations

import pytest


def test_a_wrong_archive_is_refused(backend, tmp_path, monkeypatch):
    archive = tmp_path / "fairseq-0.12.2.tar.gz"
    archive.write_bytes(b"something else")
    monkeypatch.setenv("FAIRSEQ_SDIST", str(archive))
    with pytest.raises(SystemExit) as failure:
        backend.build_wheel(str(tmp_path))
    message = str(failure.value)
    assert f"{archive} is not the official fairseq-0.12.2.tar.gz" in message
    assert "FAIRSEQ_SDIST" in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == [archive]


def test_a_missing_archive_is_named(backend, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRSEQ_SDIST", str(tmp_path / "nowhere.tar.gz"))
    with pytest.raises(SystemExit, match=r"cannot read .*nowhere.tar.gz: No such file"):
        backend.build_wheel(str(tmp_path))


def test_a_failed_download_names_the_remedy(backend, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(SystemExit) as failure:
        backend.download(tmp_path)
    message = str(failure.value)
    assert message.startswith("fairseq build: cannot download fairseq-0.12.2.tar.gz (pip: ERROR:")
    assert "set FAIRSEQ_SDIST" in message
    assert "\n" not in message


def test_the_inner_pip_is_told_nothing_of_the_outer_one(backend, tmp_path, monkeypatch):
    monkeypatch.setenv("_PYPROJECT_HOOKS_BACKEND_PATH", "here")
    monkeypatch.setenv("PIP_CONSTRAINT", "constraints.txt")
    monkeypatch.setenv("PIP_INDEX_URL", "kept")
    seen = {}

    def run(command, env, **kwargs):
        seen.update(env)
        return backend.subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(backend.subprocess, "run", run)
    assert backend.download(tmp_path) == tmp_path / "fairseq-0.12.2.tar.gz"
    assert seen["PIP_INDEX_URL"] == "kept"
    assert "_PYPROJECT_HOOKS_BACKEND_PATH" not in seen
    assert "PIP_CONSTRAINT" not in seen
