import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.inference.mining.bucc_folder import choose_files


def folder(path, names):
    for name in names.split():
        (path / name).write_text("")
    return path


ALL = (
    "de-en.dev.de de-en.dev.en de-en.dev.gold de-en.test.de de-en.test.en de-en.test.gold "
    "fr-en.dev.fr fr-en.dev.en fr-en.dev.gold fr-en.test.fr fr-en.test.en fr-en.test.gold"
)


def choose(path, pairs=None, dev_split="dev", split="test", tune=True):
    return choose_files(path, pairs, dev_split=dev_split, split=split, tune=tune)


def test_all_pairs_or_some_are_found_with_their_gold(tmp_path):
    folder(tmp_path, ALL + " README de-en.test.mined sample.de-en.de")
    found = choose(tmp_path)
    assert list(found.dev) == list(found.test) == ["de-en", "fr-en"]
    pair = choose(tmp_path, "fr-en").dev["fr-en"]
    assert [path.name for path in pair] == ["fr-en.dev.fr", "fr-en.dev.en", "fr-en.dev.gold"]
    assert choose(tmp_path, tune=False).dev == {}
    swapped = choose(tmp_path, "fr-en", dev_split="test", split="dev")
    assert swapped.dev["fr-en"].gold.name == "fr-en.test.gold"


def test_test_texts_and_their_gold_may_lack_for_all(tmp_path):
    folder(tmp_path, ALL)
    for path in tmp_path.glob("*.test.gold"):
        path.unlink()
    assert [pair.gold for pair in choose(tmp_path).test.values()] == [None, None]
    for path in tmp_path.glob("*.test.*"):
        path.unlink()
    assert choose(tmp_path).test == {}


@pytest.mark.parametrize(
    "missing, flags, message",
    [
        ("de-en.dev.gold", {}, "lacks de-en.dev.gold, and the threshold is tuned there"),
        ("de-en.dev.de de-en.dev.en", {}, "lacks de-en.dev.de, and the threshold"),
        ("de-en.dev.de", {}, "has de-en.dev.en but lacks de-en.dev.de"),
        ("de-en.test.en", {"tune": False}, "has de-en.test.de but lacks de-en.test.en"),
        ("de-en.test.gold", {}, "test gold for fr-en but not for all of de-en, fr-en; choose"),
        ("de-en.test.de de-en.test.en", {}, "test texts for fr-en but not for all"),
        ("de-en.test.de de-en.test.en", {"tune": False}, "lacks de-en.test.de, which --threshold"),
        ("", {"pairs": "de-en,ru-en"}, "no pair 'ru-en'; it has de-en, fr-en"),
        ("", {"dev_split": "sample", "split": "training"}, "<src>-<tgt>.training.<lang>"),
        ("", {"split": "dev"}, "--split dev is also --dev-split"),
    ],
)
def test_what_a_folder_lacks_is_named(missing, flags, message, tmp_path):
    folder(tmp_path, ALL)
    for name in missing.split():
        (tmp_path / name).unlink()
    with pytest.raises(UserError, match=message):
        choose(tmp_path, **flags)
    with pytest.raises(UserError, match="is not a folder"):
        choose(tmp_path / "none")
