import pickle

import pytest

from fairseq_amber.files.pair_names import (
    PairName,
    find_languages,
    is_language_code,
    languages_of,
)


def test_codes_in_their_usual_spellings():
    codes = "de deu RU pt-BR pt_br zh_Hans sr-Latn zh-min-nan es-419 hi_rom sr@latin zho_Hans"
    assert all(map(is_language_code, codes.split()))
    assert not any(map(is_language_code, ("d", "gold", "de.en", "pt-", "-en", "de--en", "", "1a")))


@pytest.mark.parametrize(
    "pair, endings, languages",
    [
        ("de-en", ("de", "en", "gold"), ("de", "en")),
        ("pt-BR-en", ("pt-BR", "en"), ("pt-BR", "en")),
        ("en-pt-BR", ("pt-BR", "en"), ("en", "pt-BR")),
        ("zh-min-nan-zh", ("zh", "zh-min-nan"), ("zh-min-nan", "zh")),
        ("sr-Latn-sr-Cyrl", ("sr-Latn", "sr-Cyrl"), ("sr-Latn", "sr-Cyrl")),
        ("a1-b2", ("a1", "b2"), ("a1", "b2")),  # no codes, but both files are there
        ("pt-BR-en", ("pt-BR",), ("pt-BR", "en")),  # one file: the other language is a code
        ("zh-min-nan-zh", ("zh",), None),  # zh and min-nan-zh, or zh-min-nan and zh
        ("de-tokenized", ("de",), None),
        ("FR-EN", ("fr", "en"), None),
        ("de-de", ("de",), None),
        ("de-en", ("gold",), None),
        ("a-b-c", ("a", "b-c", "a-b", "c"), None),  # files of two pairs of one name
    ],
)
def test_the_endings_tell_the_languages_of_a_pair(pair, endings, languages):
    found = find_languages(pair, endings)
    assert (found and found.languages) == languages
    assert found is None or found == pair


def test_a_name_keeps_its_languages():
    name = pickle.loads(pickle.dumps(PairName("zh-min-nan", "zh")))
    assert (name, languages_of(name)) == ("zh-min-nan-zh", ("zh-min-nan", "zh"))
    assert {name: 1}["zh-min-nan-zh"] == 1


def test_a_bare_name_is_cut_as_custom_has_it():
    for pair, source in (
        ("de-en", "de"),
        ("deu-eng", "deu"),
        ("pt-BR-en", "pt-BR"),
        ("en-pt-BR", "en"),
        ("zh-min-nan-en", "zh-min-nan"),
        ("en-zh-min-nan", "en"),
    ):
        assert languages_of(pair) == (source, pair[len(source) + 1 :])
