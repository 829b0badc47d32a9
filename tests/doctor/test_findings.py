"""What is found out about an installation."""

import importlib.metadata

import fairseq_amber
from fairseq_amber.doctor import command, findings


def test_of_this_installation(found):
    import fairseq
    import numpy
    import torch

    packages = found["packages"]
    assert found["training"] is None
    assert found["fairseq_amber"] == fairseq_amber.__version__
    for name, module in (("torch", torch), ("numpy", numpy), ("fairseq", fairseq)):
        expected = {"name": name, "version": module.__version__, "error": None}
        assert packages[name] == expected
    assert packages["sklearn"]["name"] == "scikit-learn"
    assert found["fairseq"]["edited"] == ("+amber" in fairseq.__version__)
    assert set(found["fairseq"]["cpp"].values()) <= {"compiled", "stand-in", "missing"}
    assert found["devices"]["threads"] >= 1
    assert len(found["devices"]["cuda"]) == torch.cuda.device_count()
    assert found["disk"]["the temporary folder"] > 0


def test_the_apex_of_pypi_is_named_and_not_imported(packages, monkeypatch):
    monkeypatch.setattr(findings, "_PACKAGES", {"apex": ()})
    monkeypatch.setattr(findings, "_fairseq", lambda *_: None)
    packages("apex", "raise SystemExit")
    found = findings.examine()
    assert found["packages"]["apex"]["error"].startswith("PyPI's, a web toolkit, not NVIDIA's")
    assert "PyPI's apex" in found["training"]


def test_a_package_on_the_path_alone_states_no_extras(monkeypatch):
    def requires(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    assert findings._requirements() is None
    assert "not installed" in command._extra_lines(None)[0]
