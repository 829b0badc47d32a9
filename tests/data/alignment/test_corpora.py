import pickle
import shutil

import pytest

from fairseq_amber.data.alignment.corpora import available, load_corpora
from fairseq_amber.errors import UserError
from fairseq_amber.files.pair_names import languages_of
from fairseq_amber.tokenizers.dictionary import load_dictionary


def load(folder, split="train", languages=("de", "en"), pairs=("de-en", "tr-en")):
    return load_corpora(folder, split, languages, pairs, load_dictionary(folder))


def copy(folder, source, target):
    for suffix in (".bin", ".idx"):
        shutil.copy(f"{folder / source}{suffix}", f"{folder / target}{suffix}")


def test_corpora_hold_the_text_without_special_tokens(folder):
    de, en, de_en, tr_en = load(folder)
    assert [len(c) for c in (de, en, de_en, tr_en)] == [60, 200, 90, 30]
    assert [c.parallel for c in (de, en, de_en, tr_en)] == [False, False, True, True]
    for i in (0, 59):
        assert len(de[i]) == de.lengths[i] and 2 not in de[i]
    x, y = de_en[7]
    assert len(x) + len(y) == de_en.lengths[7]
    sides = [[len(side) for side in de_en[i]] for i in range(90)]
    assert de_en.longer_sides.tolist() == [max(lengths) for lengths in sides]
    assert len({*de_en.longer_sides.tolist()}) > 5
    assert not de.empty.any() and not de_en.empty.any()


def test_a_split_that_a_corpus_lacks_is_passed_over(folder):
    assert [c.name for c in load(folder, "valid")] == ["de", "en", "de-en"]


def test_a_process_receives_paths_and_not_lengths(folder):
    corpora = load(folder)
    sent = pickle.dumps(corpora)
    assert len(sent) < 400 * len(corpora)
    assert (pickle.loads(sent)[2].lengths == corpora[2].lengths).all()


def test_names_are_found_once_each_and_hidden_folders_are_none(folder):
    (folder / "mono" / ".ipynb_checkpoints").mkdir()
    assert available([folder], "mono", None) == ["de", "en"]
    assert available([folder], "mono", "en, de,en") == ["en", "de"]


@pytest.mark.parametrize(
    "kind, wanted, message",
    [
        ("mono", "de,xx", "--languages: unknown language 'xx'; .*mono has de, en"),
        ("parallel", "de-xx", "--pairs: unknown pair 'de-xx'; .*parallel has de-en, tr-en"),
        ("parallel", "en-tr", r"unknown pair 'en-tr' \(the pair is stored as tr-en\)"),
    ],
)
def test_an_unknown_name(folder, kind, wanted, message):
    with pytest.raises(UserError, match=message):
        available([folder], kind, wanted)


def test_sides_of_unequal_length(folder):
    copy(folder, "parallel/tr-en/train.tr-en.en", "parallel/de-en/train.de-en.en")
    with pytest.raises(UserError, match="de has 90 sentences but .*en has 30: prepare"):
        load(folder)


def test_a_missing_side(folder):
    (folder / "parallel/tr-en/train.tr-en.en.idx").unlink()
    with pytest.raises(UserError, match="train.tr-en.en.idx is missing"):
        load(folder)


def test_a_folder_that_is_no_pair(folder):
    (folder / "parallel/old").mkdir()
    with pytest.raises(UserError, match="parallel/old is not named <src>-<tgt>"):
        load(folder, pairs=available([folder], "parallel", None))


def test_the_files_of_a_pair_tell_its_languages(folder):
    old, new = folder / "parallel/tr-en", folder / "parallel/pt-BR-en"
    shutil.move(old, new)
    with pytest.raises(UserError, match="pt-BR-en is not named <src>-<tgt> after the languages"):
        load(folder, pairs=("pt-BR-en",))
    for path in sorted(new.iterdir()):
        path.rename(new / path.name.replace("tr-en", "pt-BR-en").replace(".tr.", ".pt-BR."))
    *_, pair = load(folder, pairs=("pt-BR-en",))
    assert (len(pair), pair.name, languages_of(pair.name)) == (30, "pt-BR-en", ("pt-BR", "en"))
    assert languages_of(pickle.loads(pickle.dumps(pair)).name) == ("pt-BR", "en")


def test_one_name_for_a_language_and_a_pair(folder):
    shutil.copytree(folder / "mono/de", folder / "mono/de-en")
    with pytest.raises(UserError, match="both mono/de-en and parallel/de-en: rename"):
        load(folder, languages=["de", "de-en"])


def test_tokens_of_another_dictionary(folder):
    (folder / "dict.txt").write_text("w0 1\nw1 1\n")
    with pytest.raises(UserError, match="holds token 4. but the dictionary has 7 symbols"):
        load(folder)


def test_sentences_without_an_end(folder):
    path = folder / "mono/de/train.bin"
    path.write_bytes(path.read_bytes().replace(b"\x02\x00", b"\x05\x00"))
    with pytest.raises(UserError, match="mono/de/train.bin holds a sentence that does not end"):
        load(folder)


def test_the_dictionary_beside_a_corpus_must_be_the_folder_s(folder):
    ours = (folder / "dict.txt").read_text()
    (folder / "mono/en/dict.txt").write_text(ours.replace(" 1", " 7"))  # counts do not matter
    (folder / "parallel/de-en/dict.de.txt").write_text(ours)
    load(folder)
    lines = ours.splitlines()
    (folder / "parallel/de-en/dict.en.txt").write_text("\n".join(lines[::-1]) + "\n")
    with pytest.raises(UserError, match=r"data-bin/dict.txt and .*dict.en.txt are different"):
        load(folder)
