"""After a bad download, a killed run or a second one at the same time, scripts/fetch_data.sh says
in one line what is wrong, and the same command then ends well."""

import importlib
import os
import signal
import subprocess
import time
import tracemalloc
from pathlib import Path

import pytest

import public_stand_ins as stand_ins
from fairseq_amber.cli import main
from fetch_script import ENGLISH, GERMAN, PAIR, one_pair

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PAGE = b"<!DOCTYPE html>\n<html><body>We are down for maintenance</body></html>\n"
DUMP = "dewiki/latest/dewiki-latest-pages-articles.xml.bz2"


def error_of(said: str) -> str:
    """The one line of an error, beside the lines that say what is fetched."""
    (error,) = [line for line in said.splitlines() if not line.startswith("fetch_data: http")]
    return error


def encrypted(archive: bytes) -> bytes:
    """The archive with the mark of encryption on its first member, as zipfile cannot write one."""
    content = bytearray(archive)
    content[6] |= 1
    content[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def changed(archive: bytes, mark: bytes) -> bytes:
    """The archive with another byte in the middle of the packed text behind a name."""
    content = bytearray(archive)
    content[archive.index(mark) + len(mark) + 9] ^= 0xFF
    return bytes(content)


WHOLE = stand_ins.opus_archive("EUbookshop", "de-en", {"de": GERMAN, "en": ENGLISH})


@pytest.mark.parametrize(
    "bad, message",
    [
        (PAGE, "is no archive: the server sent a web page"),
        (b"", "is no archive: the server sent nothing"),
        (b"\0" * 600, "is no archive: the server sent 600 bytes of something else"),
        (WHOLE[:-40], "is damaged (it is cut short or altered)"),
        (changed(WHOLE, b".de-en.de"), "is damaged ("),
        (stand_ins.tarred({"X.de-en.de": "a"})[:20], "is damaged ("),
    ],
    ids=["page", "empty", "zeros", "cut", "changed", "cut tar"],
)
def test_after_a_bad_first_download_the_same_command_ends_well(fetch, bad, message):
    fetch.web.files[PAIR] = bad
    error = error_of(fetch("opus", PAIRS="de-en", status=2))
    assert message in error and "the same command fetches it again" in error
    assert (fetch.folder / "downloads" / (PAIR + ".wrong")).read_bytes() == bad
    assert fetch.names() == [".fetched"]
    one_pair(fetch.web, WHOLE)
    fetch("opus", PAIRS="de-en")
    assert (fetch.folder / "downloads" / PAIR).read_bytes() == WHOLE
    assert len(fetch.lines("SHA256SUMS")) == 1


def test_a_damaged_file_loses_the_digest_that_was_kept_of_it(fetch):
    one_pair(fetch.web, WHOLE[:-40])
    fetch("opus", PAIRS="de-en", status=2)
    wrong = fetch.folder / "downloads" / (PAIR + ".wrong")
    wrong.rename(fetch.folder / "downloads" / PAIR)
    digest = subprocess.run(
        ["sha256sum", f"downloads/{PAIR}"], cwd=fetch.folder, check=True, capture_output=True
    ).stdout
    (fetch.folder / "SHA256SUMS").write_bytes(b"0" * 64 + b"  downloads/other\n" + digest)
    assert "is damaged" in fetch("opus", PAIRS="de-en", status=2)
    assert fetch.lines("SHA256SUMS") == ["0" * 64 + "  downloads/other"]
    one_pair(fetch.web, WHOLE)
    fetch("opus", PAIRS="de-en")


def test_a_dump_that_is_cut_short_is_fetched_again(fetch):
    dump = stand_ins.wikipedia_dump([f"Article number {n} is short." for n in range(20)])
    fetch.web.files[DUMP] = dump[:-20]
    error = error_of(fetch("wikipedia", LANGUAGES="de", status=2))
    assert "is damaged (" in error and "the same command fetches it again" in error
    fetch.web.files[DUMP] = dump
    fetch("wikipedia", LANGUAGES="de")
    assert fetch.lines("train.de")


def test_a_file_that_was_saved_by_hand_stays_where_it_is(fetch):
    fetch.folder.mkdir()
    panx = fetch.folder / "AmazonPhotos.zip"
    panx.write_bytes(PAGE)
    error = error_of(fetch("xtreme", TASKS="ner", status=2))
    assert error.endswith("AmazonPhotos.zip is no archive: get it anew and run again")
    assert panx.read_bytes() == PAGE


def test_an_encrypted_archive_is_refused_in_one_line(fetch):
    one_pair(fetch.web, encrypted(WHOLE))
    error = error_of(fetch("opus", PAIRS="de-en", status=2))
    assert "'README' is encrypted: nothing of it is unpacked" in error


@pytest.mark.parametrize("valid, lines", [("0", 40), ("5000", 9)])
def test_where_nothing_is_held_out_there_is_no_file_and_prepare_takes_it(
    fetch, tmp_path, valid, lines
):
    one_pair(fetch.web)
    fetch("opus", PAIRS="de-en", VALID="4")
    assert fetch.lines("valid.de-en.de")
    (fetch.folder / "downloads" / PAIR).unlink()
    (fetch.folder / "SHA256SUMS").unlink()
    text = {"de": GERMAN[:lines], "en": ENGLISH[:lines]}
    one_pair(fetch.web, stand_ins.opus_archive("EUbookshop", "de-en", text))
    fetch("opus", PAIRS="de-en", VALID=valid)
    assert sorted(path.name for path in fetch.folder.glob("*.de-en.*")) == [
        "train.de-en.de",
        "train.de-en.en",
    ]
    assert fetch.lines("train.de-en.de") == GERMAN[:lines]
    assert "there already" in fetch("opus", PAIRS="de-en", VALID=valid)
    if valid == "0":
        binarised = tmp_path / "data-bin"
        assert not main(["prepare", str(fetch.folder), str(binarised), "--vocab-size", "60"])


def test_wikipedia_without_held_out_articles_has_no_such_file(fetch):
    articles = [f"Article number {n} is short." for n in range(20)]
    fetch.web.files[DUMP] = stand_ins.wikipedia_dump(articles)
    fetch("wikipedia", LANGUAGES="de", VALID="2")
    assert len(fetch.lines("valid.de")) == 4
    fetch("wikipedia", LANGUAGES="de", VALID="0")
    assert len(fetch.lines("train.de")) == 40 and not (fetch.folder / "valid.de").exists()


def test_the_pages_of_a_dump_are_not_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS / "fetch_data")
    wikipedia = importlib.import_module("wikipedia")

    def peak(pages):
        dump = tmp_path / f"{pages}.bz2"
        dump.write_bytes(stand_ins.wikipedia_dump([f"Page {n} is here." for n in range(pages)]))
        tracemalloc.start()
        for article in wikipedia._articles(dump):
            assert len(article) == 1
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(100)  # imports and caches
    assert peak(6000) < peak(1000) + 100_000


def test_a_text_of_nothing_but_held_out_pairs_is_an_error(fetch):
    text = {"de": GERMAN[:1] * 20, "en": ENGLISH[:1] * 20}
    one_pair(fetch.web, stand_ins.opus_archive("EUbookshop", "de-en", text))
    error = error_of(fetch("opus", PAIRS="de-en", status=2))
    assert "de-en: every pair equals one that is held out" in error
    assert not list(fetch.folder.glob("*.de-en.*"))
    fetch("opus", PAIRS="de-en", VALID="0")
    assert len(fetch.lines("train.de-en.de")) == 20


def test_a_star_does_not_stand_for_the_files_here(fetch, tmp_path, monkeypatch):
    (tmp_path / "TED2013").touch()
    monkeypatch.chdir(tmp_path)
    said = fetch("opus", PAIRS="de-en", CORPORA="*", status=2)
    assert "CORPORA: * is neither" in said and not fetch.web.asked


def test_a_redirect_is_followed_also_by_a_download_that_continues(fetch):
    one_pair(fetch.web, WHOLE)
    fetch.web.files["elsewhere.zip"] = fetch.web.files.pop(PAIR)
    fetch.web.redirects[PAIR] = "elsewhere.zip"
    fetch.web.cut["elsewhere.zip"] = 300
    assert "broke off after 300 bytes" in fetch("opus", PAIRS="de-en", status=2)
    fetch("opus", PAIRS="de-en")
    assert (fetch.folder / "downloads" / PAIR).read_bytes() == WHOLE
    assert fetch.web.asked[-1] == ("elsewhere.zip", "bytes=300-")


def start(fetch) -> subprocess.Popen:
    """A run whose server has fallen silent in the middle of the file."""
    fetch.web.hang[PAIR] = 60_000
    process = subprocess.Popen(
        fetch.command("opus"),
        env={**fetch.environment, "PAIRS": "de-en"},
        stderr=subprocess.PIPE,
        text=True,
        # ignored where the tests run in the background, and then no shell can hear it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    part = fetch.folder / "downloads" / (PAIR + ".part")
    while not (part.exists() and part.stat().st_size > 0):  # curl writes a block at a time
        assert process.poll() is None
        time.sleep(0.01)
    return process


@pytest.fixture
def large(fetch):
    noise = {"README": os.urandom(90_000).hex(), "X.de-en.de": "a\n", "X.de-en.en": "b\n"}
    return one_pair(fetch.web, stand_ins.zipped(noise))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_run_is_refused_while_the_first_works(fetch, large, number):
    with start(fetch) as process:
        error = error_of(fetch("opus", PAIRS="de-en", status=2))
        assert f"process {process.pid} of another run works in {fetch.folder}" in error
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert not list((fetch.folder / ".fetched").iterdir())


def test_after_a_kill_the_same_command_continues_once_curl_has_ended(fetch, large):
    with start(fetch) as process:
        process.kill()
        process.wait()
        lock = fetch.folder / ".fetched/lock"
        curl = int(lock.read_text().split()[-1])
        error = error_of(fetch("opus", PAIRS="de-en", status=2))
        assert f"process {curl} of another run works in {fetch.folder}" in error
        os.kill(curl, signal.SIGKILL)
    state = Path(f"/proc/{curl}/stat")
    while state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z":
        time.sleep(0.01)
    if state.exists():  # nobody here waits for orphans, so that it seems to live
        lock.unlink()
    fetch.web.hang.clear()
    got = (fetch.folder / "downloads" / (PAIR + ".part")).stat().st_size
    fetch("opus", PAIRS="de-en")
    assert (fetch.folder / "downloads" / PAIR).read_bytes() == large
    assert fetch.web.asked[-1] == (PAIR, f"bytes={got}-")
    assert not lock.exists()
