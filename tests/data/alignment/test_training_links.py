import pickle
import random
import re
from collections import Counter

import numpy as np
import pytest

from fairseq_amber.data.alignment import training_links
from fairseq_amber.data.alignment.training_links import LinkFile
from fairseq_amber.errors import UserError


def write(tmp_path, text):
    path = tmp_path / "train.de-en.align"
    path.write_bytes(text.encode())
    return path


def slow_read(text):
    """Links of each line by the letter of the definition; a ValueError names the first bad line."""
    pairs = []
    lines = text.split("\n")
    for number, line in enumerate(lines if lines[-1] else lines[:-1], 1):
        links = set()
        for entry in line.split():
            match = re.fullmatch(r"(\d{1,6})[-p](\d{1,6})", entry, flags=re.ASCII)
            if not match:
                raise ValueError(number)
            links.add((int(match[1]), int(match[2])))
        sources, targets = Counter(i for i, _ in links), Counter(j for _, j in links)
        pairs.append(sorted([i, j] for i, j in links if sources[i] == targets[j] == 1))
    return pairs


def random_text(rng, lines=40):
    def index():
        return str(rng.randrange(rng.choice([4, 30, 1_000_000])))

    def line():
        links = [index() + rng.choice("---p") + index() for _ in range(rng.choice([0, 1, 5, 12]))]
        spaced = rng.choice([" ", " ", "  ", "\t"]).join(links)
        return rng.choice(["", " "]) + spaced + rng.choice(["", "", " ", "\r"])

    return "\n".join(line() for _ in range(lines)) + rng.choice(["\n", " 0-0"])


@pytest.mark.parametrize("block_bytes", [1, 50, 1 << 22])
@pytest.mark.parametrize("seed", range(5))
def test_it_reads_what_a_loop_over_lines_reads(tmp_path, monkeypatch, seed, block_bytes):
    monkeypatch.setattr(training_links, "_BLOCK_BYTES", block_bytes)
    text = random_text(random.Random(seed))
    expected = slow_read(text)
    found = LinkFile(write(tmp_path, text), len(expected))
    assert len(found) == len(expected)
    assert [found[n].tolist() for n in range(len(found))] == expected
    assert found[0].dtype == np.int64 and found[0].shape == (len(expected[0]), 2)
    assert found.counts.tolist() == [len(links) for links in expected]
    assert (found.offsets.dtype, found.links.dtype) == (np.int64, np.int32)
    assert found.counts.dtype == np.int32


def test_a_unit_in_two_links_loses_both(tmp_path):
    found = LinkFile(write(tmp_path, "3-1 1-2 1-3 0-0 4p5 2-2 0-0\n\n7-7\n"), 3)
    assert [found[n].tolist() for n in range(3)] == [[[0, 0], [3, 1], [4, 5]], [], [[7, 7]]]


def test_a_block_may_hold_the_most_lines_and_the_largest_indices():
    lines = training_links._BLOCK_BYTES
    largest = np.array([lines]), np.array([999_999]), np.array([999_999])
    found = training_links._one_to_one(training_links._Links(*largest))
    assert [part.tolist() for part in found] == [part.tolist() for part in largest]


@pytest.mark.parametrize("seed", range(20))
def test_it_refuses_what_a_loop_over_lines_refuses(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(training_links, "_BLOCK_BYTES", 60)
    rng = random.Random(seed)
    for _ in range(20):
        text = random_text(rng, lines=8)
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice([*"-p 1x\n", "--", "1-", "-1", "é"]) + text[at + 1 :]
        path = write(tmp_path, text)
        try:
            expected = slow_read(text)
        except ValueError as error:
            with pytest.raises(UserError, match=f"train.de-en.align:{error}: .* is not a link"):
                LinkFile(path, 9)
        else:
            found = LinkFile(path, len(expected))
            assert [found[n].tolist() for n in range(len(found))] == expected


@pytest.mark.parametrize(
    "entry", ["1", "1-", "-1", "1-2-3", "1--2", "a-b", "1:2", "1-2,", "1 -2", "1234567-0", "0-é"]
)
def test_a_malformed_entry_is_named_with_its_line(tmp_path, entry):
    path = write(tmp_path, f"0-0 1-1\n\n0-0 {entry}\n1-x\n")
    bad = re.escape(repr(entry.split()[0]))
    with pytest.raises(UserError, match=f"train.de-en.align:3: {bad} is not a link; expected i-j"):
        LinkFile(path, 4)


def test_a_file_of_another_kind_is_one_short_line(tmp_path):
    path = write(tmp_path, "\0" * 10_000)
    with pytest.raises(UserError) as raised:
        LinkFile(path, 1)
    assert len(str(raised.value)) < 400 and "\n" not in str(raised.value)


@pytest.mark.parametrize("text, lines", [("0-0\n", "1"), ("0-0\n\n0-0", "3"), ("", "0")])
def test_another_number_of_lines_is_refused(tmp_path, text, lines):
    message = rf"has {lines} lines but the corpus has 2 sentence pairs: .* text that was binarised"
    with pytest.raises(UserError, match=message):
        LinkFile(write(tmp_path, text), 2)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*train\.align: No such file"):
        LinkFile(tmp_path / "train.align", 1)
    with pytest.raises(UserError, match="cannot read"):
        LinkFile(tmp_path, 1)


def test_an_index_beyond_its_sentence_is_named(tmp_path):
    found = LinkFile(write(tmp_path, "0-0 1-2\n\n3-0\n0-4 1-1\n"), 4)
    found.check(np.array([2, 0, 4, 2]), np.array([3, 0, 1, 5]))
    for sources, targets, message in [
        (
            [1, 0, 3, 1],
            [3, 0, 1, 5],
            r"align:1: 1-2 lies outside its sentences, of lengths 1 and 3",
        ),
        ([2, 0, 3, 1], [3, 0, 1, 5], "align:3: 3-0 .* 3 and 1: .* count from 0"),
        ([2, 0, 4, 2], [3, 0, 1, 4], "align:4: 0-4"),
    ]:
        with pytest.raises(UserError, match=message):
            found.check(np.array(sources), np.array(targets))


def test_no_pairs_and_pairs_without_links(tmp_path):
    assert len(LinkFile(write(tmp_path, ""), 0)) == 0
    found = LinkFile(write(tmp_path, "\n\n"), 2)
    found.check(np.zeros(2), np.zeros(2))
    assert found[1].shape == (0, 2) and found.counts.tolist() == [0, 0]


def test_a_process_needs_the_file_no_more(tmp_path):
    path = write(tmp_path, "0-0\n1-2 0-1\n")
    sent = pickle.dumps(LinkFile(path, 2))
    path.unlink()
    assert pickle.loads(sent)[1].tolist() == [[0, 1], [1, 2]]
