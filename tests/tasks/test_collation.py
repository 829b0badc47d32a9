"""The flags of masking, of rows and of a pair's layout, from the settings to the batches."""

import argparse
import shutil
from pathlib import Path

import pytest
import torch
from fairseq.tasks import FairseqTask

from amber_twins import build_criterion
from fairseq_amber.data.alignment.needs import Needs, PointSettings
from fairseq_amber.data.kept_words import KeptWordWriter
from fairseq_amber.data.token_file import TokenFile
from task_batches import collated, drawn, plan
from toy_corpora import write_binarised
from toy_examples import content

SENTENCES = Needs(tlm=False, alignment=False)


def pair_blocks(task):
    return [
        block
        for sample in collated(task, plan(task))
        for block in sample["blocks"]
        if block["parallel"]
    ]


def test_positions_and_segments(make_task):
    default = pair_blocks(make_task())[0]["net_input"]
    assert "positions" not in default and default["segments"].max() == 1
    for choice, zeros, ones in (("xlm", 1, 2), ("restart", 2, 2)):
        task = make_task(pair_positions=choice, pair_segments="none")
        other = pair_blocks(task)[0]["net_input"]
        assert "segments" not in other
        assert (other["positions"] < default["src_tokens"].size(1)).all()
        for position, times in ((0, zeros), (1, ones)):
            assert ((other["positions"] == position).sum(dim=1) == times).all()


@pytest.mark.parametrize("order", ["both", "given"])
def test_the_order_of_a_pair(make_task, order):
    task = make_task(pair_order=order, mask_prob=0.0)
    swapped = [
        one["rows"][0] == one["rows"][2]
        for block in pair_blocks(task)
        for one in content(block)
        if one["rows"][1] != one["rows"][2]
    ]
    share = sum(swapped) / len(swapped)
    assert len(swapped) > 100 and (0.35 < share < 0.65 if order == "both" else share == 0)


def test_whole_words(make_task, folder):
    """Every second symbol continues a word."""
    lines = [f"{'##' if word % 2 else ''}w{word} 1\n" for word in range(40)]
    (folder / "dict.txt").write_text("".join(lines))
    settings = dict(data=str(folder), pair_order="given", mask_prob=0.4)
    task = make_task(whole_word_masking=True, **settings)
    whole = count = 0
    for block in pair_blocks(task):
        for one in content(block):
            words = []  # positions of the pieces of each word
            for at, token in enumerate(one["rows"][1]):
                if token > 3 and (not words or token % 2 == 0 or words[-1][-1] < at - 1):
                    words.append([])
                if token > 3:
                    words[-1].append(at)
            chosen = {at for at, _ in one["predicted"]}
            assert chosen
            whole += all(chosen.isdisjoint(word) or chosen.issuperset(word) for word in words)
            count += 1
    assert count > 100 and whole >= 0.9 * count  # the rest: rows in which no word fits


def test_whole_words_of_a_vocabulary_without_word_marks(make_task):
    with pytest.raises(SystemExit, match="error: --whole-word-masking, .*: dict.txt has neither"):
        make_task(whole_word_masking=True).load_dataset("train")


def equal(a, b):
    """Whether two batches hold the same."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.parametrize(
    "rows",
    [
        dict(),
        dict(pair_order="given", tokens_per_sample=12),
        dict(sentence_rows="block", tokens_per_sample=40),
        dict(sentence_rows="document", sentence_segments=True),
    ],
)
def test_kept_words_are_masked_as_those_that_the_pieces_show(
    make_task, word_folder, tmp_path, rows
):
    """Of the same words, in rows of sentences, of lines and of pairs in both orders."""
    folder = Path(shutil.copytree(str(word_folder), str(tmp_path / "data-bin")))
    for path in folder.rglob("*.idx"):
        file, writer = (
            TokenFile(path.with_suffix("")),
            KeptWordWriter(path.with_suffix(""), "moses"),
        )
        for index in range(len(file)):
            starts = file[index] % 2 == 0  # </s> is one
            starts[0] = True
            writer.add(starts)
        writer.finish()
        writer.close()
    batches = []
    for kind in ("spaces", "moses"):
        settings = dict(data=str(folder), whole_word_masking=True, mask_prob=0.3, **rows)
        task = make_task(word_boundaries=kind, **settings)
        task.needs = Needs(points=PointSettings(), sentences=True)
        batches.append(collated(task, plan(task)))
    assert equal(*batches) and len(batches[0]) > 2
    single = make_task(word_boundaries="moses", **{**settings, "whole_word_masking": False})
    single.needs = task.needs
    assert not equal(batches[0], collated(single, plan(single)))


@pytest.fixture
def documents(folder, random_sentences):
    """The lines of ``de``, of which some are empty and some too long, in a copy of the folder."""
    lines = [line.tolist() for line in random_sentences(120, 7)]
    for number in range(0, 120, 9):
        lines[number] = []
    lines[40], lines[41] = [5] * 30, [6] * 31
    write_binarised(folder / "mono/de/train", lines)
    return folder, lines


def slow_rows(lines, room, separated, by_document):
    """The rows, each as a list of lines; a line that is too long is a row of its own."""
    rows = [[]]
    for line in lines:
        held = rows[-1]
        if not line:
            rows += [[]] * by_document
        elif held and sum(map(len, held)) + separated * len(held) + len(line) > room:
            rows.append([line])
        else:
            rows[-1] = [*held, line]
    return [row for row in rows if row]


@pytest.mark.parametrize("rows", ["block", "document"])
def test_rows_of_consecutive_lines(make_task, documents, rows):
    folder, lines = documents
    settings = dict(data=str(folder), languages="de", pairs="", tokens_per_sample=32)
    task = make_task(sentence_rows=rows, mask_prob=0.0, **settings)
    task.needs = SENTENCES
    found = sorted(one["rows"][0] for _, one in drawn(task, plan(task)).values())
    expected = []
    for row in slow_rows(lines, 30, True, rows == "document"):
        text = [token for line in row for token in [*line, 2]][:-1]
        expected.append([0, *text[:30], 2])
    assert found == sorted(expected)
    assert 20 < len(expected) < 60 and max(map(len, found)) == 32


def test_rows_of_two_segments(make_task, documents):
    folder, lines = documents
    settings = dict(data=str(folder), languages="de", pairs="", tokens_per_sample=32)
    flags = dict(sentence_rows="document", sentence_segments=True)
    task = make_task(mask_prob=0.0, **flags, **settings)
    task.needs = SENTENCES
    found = [one for _, one in drawn(task, plan(task)).values()]
    slow = {
        tuple(sum(row, []))[:29]: [sum(map(len, row[:n])) for n in range(1, len(row))]
        for row in slow_rows(lines, 29, False, True)
    }
    assert len(found) == len(slow) > 20
    firsts = set()
    for one in found:
        (row,) = one["rows"]
        (segments,) = one.get("segments", [[0] * len(row)])
        if 1 not in segments:
            assert slow.pop(tuple(row[1:-1])) == []
            continue
        second = segments.index(1)
        assert segments == [0] * second + [1] * (len(row) - second)
        first, rest = row[1 : second - 1], row[second:-1]
        assert row[second - 1] == 2
        boundaries = slow.pop((*first, *rest))
        assert len(first) in boundaries
        firsts.add(boundaries.index(len(first)))
    assert not slow and len(firsts) > 2


def test_a_model_with_token_types_learns_from_the_two_segments(make_task, make_model, documents):
    folder, _ = documents
    settings = dict(data=str(folder), languages="de", pairs="", sentence_rows="document")
    gradients = []
    for segments in (True, False):
        task, model = make_task(sentence_segments=segments, **settings), make_model(token_types=2)
        task.model = model
        criterion = build_criterion(task, tlm_weight=0, wa_weight=0, sa_weight=0)
        batch = collated(task, plan(task))[0]
        criterion(model, batch)[0].backward()
        gradients.append(model.encoder.sentence_encoder.embed_segments.weight.grad)
    assert gradients[0].abs().sum(dim=1).min() > 0
    assert gradients[1][0].abs().sum() > 0 and not gradients[1][1].any()


def test_two_segments_need_token_types(make_task, make_model, monkeypatch):
    def build(types, **settings):
        model = make_model(token_types=types)
        monkeypatch.setattr(FairseqTask, "build_model", lambda *args: model)
        assert make_task(**settings).build_model(argparse.Namespace()) is model

    segmented = dict(sentence_rows="document", sentence_segments=True)
    build(2, **segmented)
    build(0, sentence_rows="document")
    message = "error: --sentence-segments: the model has no token types; add --token-types 2"
    with pytest.raises(SystemExit, match=message):
        build(0, **segmented)
