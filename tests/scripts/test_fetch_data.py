"""What scripts/fetch_data.sh lays out is what the package reads. Its homes are a server on this
machine, with small files laid out as the real ones."""

import re
import zipfile

import pytest

import public_stand_ins as stand_ins
from doc_pages import ROOT
from fairseq_amber.cli import main
from fairseq_amber.files.parallel_text import find_parallel, read_parallel
from fairseq_amber.inference.mining.bucc_folder import find_mining_files
from fairseq_amber.inference.word_alignment.link_files import read_alignments
from fairseq_amber.preparation.task.examples import examples_class
from fairseq_amber.preparation.task.sources import collect_sources
from fetch_script import ENGLISH, GERMAN, TABLE, one_pair


def test_parallel_text_is_held_out_evenly_and_prepare_takes_it(fetch, tmp_path):
    one_pair(fetch.web)
    fetch("opus", PAIRS="de-en", VALID="4")
    held = [9, 19, 29, 39]
    assert fetch.lines("valid.de-en.de") == [GERMAN[n] for n in held]
    assert fetch.lines("valid.de-en.en") == [ENGLISH[n] for n in held]
    kept = [n for n in range(40) if n not in held]
    assert fetch.lines("train.de-en.de") == [GERMAN[n] for n in kept]
    assert fetch.lines("train.de-en.en") == [ENGLISH[n] for n in kept]
    binarised = tmp_path / "data-bin"
    assert not main(["prepare", str(fetch.folder), str(binarised), "--vocab-size", "60"])
    assert (binarised / "parallel/de-en/train.de-en.de.idx").is_file()


def test_several_corpora_are_one_text_and_the_pair_may_be_named_in_either_order(fetch):
    sides = {"en": ["one .", "two .", "", "bad \xff ."], "tr": ["bir .", "iki .", "x", "y"]}
    for corpus, version in (("SETIMES", "v2"), ("Wikipedia", "v1.0"), ("TED2013", "v1.1")):
        lines = {
            lang: [f"{corpus} {text}" if text else "" for text in t] for lang, t in sides.items()
        }
        fetch.web.files[f"OPUS-{corpus}/{version}/moses/en-tr.txt.zip"] = stand_ins.opus_archive(
            corpus, "en-tr", lines
        )
    said = fetch("opus", PAIRS="tr-en", VALID="0")
    assert fetch.lines("train.tr-en.en")[:4:3] == ["SETIMES one .", "Wikipedia one ."]
    assert len(fetch.lines("train.tr-en.tr")) == 9
    assert "left out: 3 empty" in said


def test_a_training_pair_that_equals_a_held_out_pair_is_left_out(fetch):
    lines = {"de": [*GERMAN[:20], GERMAN[9]], "en": [*ENGLISH[:20], ENGLISH[9]]}
    one_pair(fetch.web, stand_ins.opus_archive("EUbookshop", "de-en", lines))
    assert "1 equal to a held-out pair" in fetch("opus", PAIRS="de-en", VALID="2")
    assert set(fetch.lines("valid.de-en.de")).isdisjoint(fetch.lines("train.de-en.de"))


def test_sides_of_unequal_length_are_refused(fetch):
    lines = {"de": GERMAN, "en": ENGLISH[:-1]}
    one_pair(fetch.web, stand_ins.opus_archive("EUbookshop", "de-en", lines))
    said = fetch("opus", PAIRS="de-en", status=2)
    assert "EUbookshop.de-en.de has 40 lines and EUbookshop.de-en.en 39" in said
    assert not list(fetch.folder.glob("*.de"))


def test_iit_bombays_archive_and_any_of_opuss_corpora_can_be_named(fetch):
    text = {f"parallel/IITB.en-hi.{lang}": f"{lang} text\n" for lang in ("en", "hi")}
    fetch.web.files["iitb_corpus_download/parallel.tgz"] = stand_ins.tarred(text)
    more = {"en": ["more"], "hi": ["hi more"]}
    archive = stand_ins.opus_archive("TED2020", "en-hi", more)
    fetch.web.files["OPUS-TED2020/v1/moses/en-hi.txt.zip"] = archive
    fetch("opus", PAIRS="hi-en", CORPORA="IITB TED2020/v1")
    assert fetch.lines("train.hi-en.en") == ["en text", "more"]


def test_wikipedia_becomes_sentences_with_an_empty_line_after_each_article(fetch):
    articles = [
        "{{Infobox|a={{b}}}}\n'''Berlin''' is the [[capital city|capital]] of [[Germany]]."
        "&lt;ref&gt;x. Y.&lt;/ref&gt; It is large.\n== Head ==\n* a list of things here\n"
        "[[File:a.jpg|thumb|A [[b]] c]]\n[[Category:Towns]]",
        "{| class=x\n| A table cell of words\n|}\nThe second has one sentence, e.g. this one.",
        *[f"Article number {n} is short. It ends here." for n in range(8)],
    ]
    fetch.web.files["dewiki/latest/dewiki-latest-pages-articles.xml.bz2"] = (
        stand_ins.wikipedia_dump(articles)
    )
    fetch("wikipedia", LANGUAGES="de", VALID="2")
    train, valid = fetch.lines("train.de"), fetch.lines("valid.de")
    assert train[:3] == ["Berlin is the capital of Germany.", "It is large.", ""]
    assert train[3:5] == ["The second has one sentence, e.g. this one.", ""]
    assert valid == ["Article number 7 is short.", "It ends here.", ""]
    assert len(train) == 2 + 1 + 2 * 7 + 9


def test_tatoeba_is_what_retrieve_reads(fetch):
    for side, text in (("deu", "Hallo\nWelt\n"), ("eng", "Hello\nworld\n")):
        name = re.search(rf"\tde\tGITHUB_URL\t(\S+\.{side})\t", TABLE)[1]
        fetch.web.files[name] = text.encode()
    fetch("tatoeba", LANGUAGES="de en")
    (files,) = find_parallel(fetch.folder, "tatoeba")
    assert files.name == "deu-eng"
    assert read_parallel(files.source, files.target) == (["Hallo", "Welt"], ["Hello", "world"])


def gold_files(web) -> None:
    def put(name: str, pair: str, *contents: bytes) -> None:
        paths = re.findall(rf"^gold\t{name}\t{pair}\tGITHUB_URL\t(\S+)", TABLE, flags=re.M)
        paths += re.findall(rf"^gold\t{name}\t{pair}\tWPT_URL\t(\S+)", TABLE, flags=re.M)
        web.files.update(zip(paths, contents))

    put("awesome-align", "en-fr", b"a b ||| c d  \ne ||| f\n", b"1-1 2p1 9-9\n1-1\n")
    test = {
        "x/de-en/test.de": "a b\nc\n",
        "x/de-en/test.en": "d e\nf\n",
        "x/de-en/alignv2.txt": "7 1 1 S\n7 2 1 P\n7 2 -99 S\n9 1 1 S\n",
        "x/de-en/align.txt": "7 1 1\n",
        "x/ro-en/test.en": "x\n",
    }
    put("simalign", "de-en", stand_ins.tarred(test))
    put("xl-wa", "en-ru", "a b\tв г\t0-1 1-0\n".encode())
    french = "<s snum=0001> \xe9t\xe9 d </s>\n<s snum=0002> e </s>\n"
    wpt = {
        "English-French/test/test.e": "<s snum=0001> a b </s>\n<s snum=0002> c </s>\n",
        "English-French/test/test.f": french.encode("latin-1"),
        "English-French/answers/test.wa.nonullalign": "0001 1 2 S\n0001 1 1 P\n0002 1 1 S\n",
    }
    put("wpt", "en-fr", stand_ins.tarred(wpt))


@pytest.mark.parametrize(
    "pair, sets, links",
    [
        ("en-fr", "", ["0-0 1p0", "0-0"]),
        ("de-en", "", ["0-0 1p0", "0-0"]),
        ("en-ru", "xl-wa", ["0-1 1-0"]),
        ("en-fr", "wpt", ["0p0 0-1", "0-0"]),
    ],
)
def test_gold_alignments_count_from_0_and_fit_their_sentences(fetch, pair, sets, links):
    gold_files(fetch.web)
    fetch("gold", PAIRS=pair, CORPORA=sets)
    (files,) = find_parallel(fetch.folder, "test")
    source, target = read_parallel(files.source, files.target)
    assert fetch.lines(f"test.{pair}.gold") == links
    gold = read_alignments(fetch.folder / f"test.{pair}.gold").pairs
    assert len(source) == len(target) == len(gold)
    if sets == "wpt":
        assert target == ["\xe9t\xe9 d", "e"]


def test_xtremes_tasks_are_what_prepare_task_reads(fetch):
    fetch.web.files.update(stand_ins.xtreme_files())
    for language in ("en", "de"):
        path = re.search(rf"\txquad\t{language}\tGITHUB_URL\t(\S+)\t\d", TABLE)[1]
        fetch.web.files[path] = stand_ins.squad([f"x{language}"]).encode()
    with zipfile.ZipFile(fetch.folder.with_name("panx.zip"), "w") as panx:
        for language in ("de", "en"):
            text = f"{language}:Berlin\tB-LOC\n{language}:a:b\tO\n\n"
            members = {"train": text, "dev": text, "test": text, "extra": "x"}
            panx.writestr(f"panx_dataset/{language}.tar.gz", stand_ins.tarred(members))
    fetch.folder.mkdir()
    fetch.folder.with_name("panx.zip").rename(fetch.folder / "AmazonPhotos.zip")
    fetch("xtreme", LANGUAGES="de en fr sw", TASKS="pos ner xnli pawsx squad mlqa tydiqa bucc")
    expected = {
        "pos": (["en"], ["en"], ["fr"]),
        "ner": (["en"], ["de", "en"], ["de", "en"]),
        "xnli": (["en"], ["de", "en", "fr"], ["de", "en", "fr"]),
        "pawsx": (["en"], ["de", "en"], ["de", "en"]),
        "squad": (["en"], ["en"], ["de", "en"]),
        "mlqa": (["en"], ["de", "en"], ["de", "en"]),
        "tydiqa": (["en"], None, ["en", "sw"]),
    }
    for task, languages in expected.items():
        sources = collect_sources(task, fetch.folder, {})
        for split, wanted in zip(("train", "valid", "test"), languages):
            assert sorted(sources.get(split, ())) == (wanted or []), (task, split)
            for paths in sources.get(split, {}).values():
                assert examples_class(task)(paths, split).number > 0
    french = ["du\tADP", "pain\tNOUN", "", "xy\tAUX", "mot\tNOUN", ""]
    assert fetch.lines("udpos/test-fr.tsv") == french
    assert fetch.lines("udpos/dev-en.tsv")[3] == "xy\tNOUN"  # another order of the tags
    assert fetch.lines("panx/test-de.tsv") == ["Berlin\tB-LOC", "a:b\tO", ""]
    assert fetch.lines("xnli/train-en.tsv") == ["A man.\tNo man.\tcontradiction"]
    assert fetch.lines("xnli/test-de.tsv") == ['"A de ""x"" y"\tde z\tneutral']
    assert fetch.lines("pawsx/dev-de.tsv") == ["a b\tb a\t1", "c d\td c\t0"]
    mining = find_mining_files(fetch.folder / "bucc2018", "test")
    assert len(mining["de-en"].read().gold) == 1


def test_pan_x_has_to_be_got_by_hand(fetch):
    said = fetch("xtreme", TASKS="pos ner", status=2)
    assert "AmazonPhotos.zip" in said and "leave ner out of TASKS" in said
    assert not fetch.web.asked


def test_every_line_of_the_table_is_whole():
    rows = [line.split("\t") for line in TABLE.splitlines() if not line.startswith("#")]
    for row in rows:
        if row[0] == "list":
            assert len(row) == 4
            continue
        what, name, key, home, path, size, digest = row
        assert what in ("opus", "wikipedia", "tatoeba", "gold", "xtreme")
        assert re.fullmatch(r"-|\d+", size) and re.fullmatch(r"-|[0-9a-f]{64}", digest)
        assert not path.startswith("/") and ".." not in path
        assert f"{home}=${{{home}:-http" in (ROOT / "scripts/fetch_data.sh").read_text()
    assert len({tuple(row) for row in rows}) == len(rows)


def test_a_folder_that_is_none(fetch):
    """An empty name filled the root of the file system."""
    fetch.folder = ""
    assert "DIR is empty: name the folder to fill" in fetch("opus", status=2, PAIRS="de-en")
    fetch.folder = "/proc/none"
    assert "cannot make folders in /proc/none" in fetch("opus", status=2, PAIRS="de-en")


def test_a_choice_that_is_not_of_the_set_is_named(fetch):
    assert "opus does not read LANGUAGES=de" in fetch(
        "opus", SHOW="1", PAIRS="de-en", LANGUAGES="de"
    )
    said = fetch("wikipedia", SHOW="1", PAIRS="de-en", LANGUAGES="de")
    assert "wikipedia does not read PAIRS=de-en" in said and "LANGUAGES" not in said
