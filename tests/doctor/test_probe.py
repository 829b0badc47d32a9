"""Packages are imported in another process, and none that breaks stops it."""

from fairseq_amber.doctor.probe import ask


def test_every_package_is_asked_for_whatever_the_others_do(packages, broken):
    for name, (text, _) in broken.items():
        packages(name, text)
    packages("works", "print('hello')\n__version__ = '1.2'")
    place = packages("bare") / "__init__.py"
    place.unlink()
    answers = dict(ask(["raises", "exits", "dies", "works", "crashes", "lacks", "bare", "nothing"]))
    assert {name: answers[name] for name in broken} == {
        name: {"error": cause} for name, (_, cause) in broken.items()
    }
    assert answers["works"]["version"] == "1.2"
    assert answers["bare"]["error"].endswith(f": {place.parent}")
    assert answers["nothing"] == {"error": "ModuleNotFoundError: No module named 'nothing'"}


def test_an_import_without_an_end_is_given_up(packages):
    packages("hangs", "import threading; threading.Event().wait()")
    assert list(ask(["hangs"], patience=1)) == [("hangs", {"error": "no end after 1 seconds"})]
