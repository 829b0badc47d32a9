"""Downloads of scripts/fetch_data.sh continue and are checked, errors are one line, and nothing
that a server sends leaves the folder."""

import hashlib
import signal
import subprocess
import tarfile
import time
import zipfile

import pytest

import public_stand_ins as stand_ins
from fetch_script import ENGLISH, GERMAN, PAIR, one_pair


def test_a_second_run_downloads_nothing_even_without_the_downloads(fetch):
    one_pair(fetch.web)
    fetch("opus", PAIRS="de-en")
    before = {path: path.stat().st_mtime_ns for path in fetch.folder.glob("*.de-en.*")}
    assert len(fetch.web.asked) == 1 and len(before) == 4
    assert "there already" in fetch("opus", PAIRS="de-en")
    subprocess.run(["rm", "-r", str(fetch.folder / "downloads")], check=True)
    fetch("opus", PAIRS="de-en")
    assert len(fetch.web.asked) == 1
    assert before == {path: path.stat().st_mtime_ns for path in fetch.folder.glob("*.de-en.*")}


def test_other_settings_lay_out_anew_without_a_download(fetch):
    one_pair(fetch.web)
    fetch("opus", PAIRS="de-en", VALID="4")
    fetch("opus", PAIRS="de-en", VALID="2")
    assert len(fetch.lines("valid.de-en.de")) == 2 and len(fetch.web.asked) == 1


@pytest.mark.parametrize("ranges", [True, False], ids=["continues", "begins again"])
def test_a_download_that_is_cut_off_ends_equal(fetch, ranges):
    archive = one_pair(fetch.web)
    fetch.web.ranges = ranges
    fetch.web.cut[PAIR] = 300
    said = fetch("opus", PAIRS="de-en", status=2)
    assert "broke off after 300 bytes" in said and "the same command continues" in said
    assert not (fetch.folder / "downloads" / PAIR).exists()
    fetch("opus", PAIRS="de-en")
    assert (fetch.folder / "downloads" / PAIR).read_bytes() == archive
    assert fetch.web.asked[1] == (PAIR, "bytes=300-")
    assert len(fetch.web.asked) == (2 if ranges else 3)


def test_a_file_that_was_replaced_meanwhile_is_not_mixed_with_the_old_one(fetch):
    one_pair(fetch.web)
    fetch.web.cut[PAIR] = 300
    fetch("opus", PAIRS="de-en", status=2)
    lines = {"de": GERMAN[:20], "en": ENGLISH[:20]}
    new = one_pair(fetch.web, stand_ins.opus_archive("EUbookshop", "de-en", lines))
    fetch("opus", PAIRS="de-en")
    assert (fetch.folder / "downloads" / PAIR).read_bytes() == new


def test_it_tries_again_by_itself(fetch):
    one_pair(fetch.web)
    fetch.web.cut[PAIR] = 300
    fetch("opus", PAIRS="de-en", RETRIES="1")
    assert [wanted for _, wanted in fetch.web.asked] == [None, "bytes=300-"]


def test_an_interrupted_download_continues(fetch):
    noise = "".join(hashlib.sha256(bytes([n, m])).hexdigest() for n in range(50) for m in range(50))
    archive = one_pair(
        fetch.web,
        stand_ins.zipped({"README": noise, "X.de-en.de": "a\n", "X.de-en.en": "b\n"}),
    )
    fetch.web.hang[PAIR] = 60_000
    environment = {**fetch.environment, "PAIRS": "de-en"}
    with subprocess.Popen(
        fetch.command("opus"), env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        part = fetch.folder / "downloads" / (PAIR + ".part")
        while not (part.exists() and part.stat().st_size > 0):  # curl writes a block at a time
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=10)[1]
    assert process.returncode == 130 and "interrupted; the same command continues" in said
    fetch.web.hang.clear()
    got = part.stat().st_size
    fetch("opus", PAIRS="de-en")
    assert (fetch.folder / "downloads" / PAIR).read_bytes() == archive
    assert fetch.web.asked[-1] == (PAIR, f"bytes={got}-")


def test_the_digest_of_the_first_download_is_kept_and_checked_afterwards(fetch):
    archive = one_pair(fetch.web)
    fetch("opus", PAIRS="de-en")
    digest = hashlib.sha256(archive).hexdigest()
    assert fetch.lines("SHA256SUMS") == [f"{digest}  downloads/{PAIR}"]
    (fetch.folder / "downloads" / PAIR).write_bytes(archive + b"x")
    said = fetch("opus", PAIRS="de-en", VALID="3", status=2)
    assert f"expected {digest}" in said and "of its first download" in said
    assert (fetch.folder / "downloads" / (PAIR + ".wrong")).is_file()
    fetch("opus", PAIRS="de-en", VALID="3")
    assert len(fetch.web.asked) == 2


def test_a_wrong_digest_of_the_table_stops_it_unless_it_is_accepted(fetch):
    archive = one_pair(fetch.web)
    known = "0" * 64
    row = f"opus\tEUbookshop\tde-en\tOPUS_URL\t{PAIR}\t{len(archive)}\t{known}\n"
    fetch.table.write_text(row + fetch.table.read_text())
    said = fetch("opus", PAIRS="de-en", status=2)
    assert f"SHA-256 {hashlib.sha256(archive).hexdigest()}, expected {known}" in said
    assert fetch.names() == [".fetched"]
    fetch("opus", PAIRS="de-en", ACCEPT="1")
    assert fetch.lines("train.de-en.de")


@pytest.mark.parametrize(
    "variables, message",
    [
        ({"PAIRS": "de-en"}, "/de-en.txt.zip is not there (HTTP 404)"),
        ({"PAIRS": "de-en", "OPUS_URL": "http://127.0.0.1:9"}, "no network, or the server is down"),
        ({"PAIRS": "xx-en"}, "LIST=xlm has no corpora for xx-en"),
        ({"PAIRS": "german"}, "german is not a pair such as de-en"),
        ({"PAIRS": "de-en", "CORPORA": "Nothing"}, "Nothing has no de-en here; there are MultiUN"),
        ({"LIST": "mine"}, "LIST=mine: there are xlm and ot"),
        ({"VALID": "some"}, "VALID=some is not a number"),
        ({"PAIRS": "de-en", "CORPORA": "../x/v1"}, "CORPORA: ../x/v1 is neither NAME nor"),
        ({"PAIRS": "de-en", "CORPORA": "x/.."}, "CORPORA: x/.. is neither NAME nor"),
        ({"PAIRS": "de-en", "CORPORA": "a..b/v1"}, "CORPORA: a..b/v1 is neither NAME nor"),
        ({"PAIRS": "de-en", "CORPORA": "a/b/c"}, "CORPORA: a/b/c is neither NAME nor"),
        ({"PAIRS": "de-en", "CORPORA": "*"}, "CORPORA: * is neither NAME nor NAME/VERSION"),
        ({"PAIRS": "de-en ../x-en"}, "PAIRS: ../x-en is not a pair such as de-en"),
        ({"LANGUAGES": "de/x"}, "LANGUAGES: de/x is not a language such as de"),
        ({"LANGUAGES": "-x"}, "LANGUAGES: -x is not a language such as de"),
        ({"DUMP": "2020/x"}, "DUMP=2020/x is neither latest nor a date such as 20201001"),
        ({"PYTHON": "no-such-python"}, "no-such-python is not installed"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:20],
)
def test_what_cannot_be_fetched_is_said_in_one_line(fetch, variables, message):
    said = fetch("opus", status=2, **variables)
    (error,) = [line for line in said.splitlines() if "error:" in line]
    assert message in error and "usage" not in said
    assert not list(fetch.folder.glob("*.*-*.*"))


def test_an_unknown_set_names_those_there_are(fetch):
    assert "there are opus, wikipedia, tatoeba, gold and xtreme" in fetch("films", status=2)
    assert "TASKS: there is no films" in fetch("xtreme", TASKS="films", status=2)
    assert "no Tatoeba for xx; there are af ar" in fetch("tatoeba", LANGUAGES="xx", status=2)
    assert "no gold alignments for xx-yy" in fetch("gold", PAIRS="xx-yy", status=2)
    assert "there is no set films; there are awesome-align" in fetch(
        "gold", CORPORA="films", status=2
    )


def test_show_names_every_file_and_writes_nothing(fetch):
    said = fetch("opus", SHOW="1", LIST="ot")
    assert len(said.splitlines()) == 15  # Table 6: 14 languages, two corpora for Swahili
    assert not fetch.folder.exists() and not fetch.web.asked


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


SIDES = {"parallel/IITB.en-hi.en": "a\n", "parallel/IITB.en-hi.hi": "b\n"}
LINK = zipfile.ZipInfo("inside/link")
LINK.external_attr = 0o120777 << 16


@pytest.mark.parametrize(
    "archive, message",
    [
        (stand_ins.tarred({"../IITB.en-hi.en": "x", **SIDES}), "would be written outside"),
        (stand_ins.tarred({"a/../../IITB.en-hi.hi": "x", **SIDES}), "would be written outside"),
        (stand_ins.tarred({"/tmp/IITB.en-hi.en": "x", **SIDES}), "would be written outside"),
        (stand_ins.zipped({"..\\IITB.en-hi.en": "x", **SIDES}), "would be written outside"),
        (stand_ins.zipped({LINK: "../../secret", **SIDES}), "is a link to ../../secret"),
        (
            stand_ins.tarred(SIDES, special=(member("parallel/a", tarfile.SYMTYPE, "/etc"),)),
            "is a link to /etc",
        ),
        (
            stand_ins.tarred(SIDES, special=(member("parallel/a", tarfile.SYMTYPE, "../.."),)),
            "is a link to ../..",
        ),
        (
            stand_ins.tarred(SIDES, special=(member("parallel/a", tarfile.LNKTYPE, "../x"),)),
            "outside the folder",
        ),
        (
            stand_ins.tarred(SIDES, special=(member("parallel/a", tarfile.FIFOTYPE),)),
            "is neither a file nor a folder",
        ),
        (stand_ins.tarred(SIDES)[:-30], "is damaged"),
        (stand_ins.tarred({"README": "x"}), "has none of the files that are wanted"),
    ],
    ids=[
        "dots",
        "dots inside",
        "absolute",
        "backslash",
        "zip link",
        "link",
        "link up",
        "hard link",
        "pipe",
    ]
    + ["cut", "other"],
)
def test_an_archive_that_leaves_its_folder_or_is_broken_is_refused(fetch, archive, message):
    fetch.web.files["iitb_corpus_download/parallel.tgz"] = archive
    said = fetch("opus", PAIRS="hi-en", status=2)
    assert message in said
    assert fetch.names() == [".fetched"]
    assert not list((fetch.folder / ".fetched").iterdir())


def test_a_link_inside_the_archive_is_left_out(fetch):
    links = (
        member("parallel/a", tarfile.SYMTYPE, "IITB.en-hi.en"),
        member("parallel/b/c", tarfile.LNKTYPE, "parallel/IITB.en-hi.en"),
    )
    fetch.web.files["iitb_corpus_download/parallel.tgz"] = stand_ins.tarred(SIDES, special=links)
    fetch("opus", PAIRS="hi-en")
    assert fetch.lines("train.hi-en.hi") == ["b"]
