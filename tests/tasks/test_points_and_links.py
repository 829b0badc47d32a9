"""Links and points of parallel corpora: read, checked, and counted over an update."""

import pickle
from collections import Counter

import numpy as np
import pytest

from fairseq_amber.data.alignment.needs import LinkSettings, Needs, PointSettings
from task_batches import collated, plan

PAIRS = dict(mlm=False, tlm=False, alignment=False, sentences=True)


@pytest.fixture
def loaded(make_task, word_folder, link_folder):
    """Builds a task with links and points, and opens its training text."""

    def load(
        points=None,
        links=link_folder,
        link_units="words",
        special_tokens=False,
        data=word_folder,
        mlm=False,
        **settings,
    ):
        task = make_task(data=str(data), **settings)
        if links is not None:
            links = LinkSettings(str(links), link_units, special_tokens=special_tokens)
        task.needs = Needs(**{**PAIRS, "mlm": mlm}, points=points, links=links)
        task.load_dataset("train")
        return task

    return load


@pytest.fixture
def links_of(link_folder, word_folder):
    """A copy of the links, one file of which has other lines: ``(lines of de-en)``."""

    def change(tmp_path, change_lines):
        for path in link_folder.iterdir():
            (tmp_path / path.name).write_text(path.read_text())
        path = tmp_path / "train.de-en.align"
        path.write_text("".join(change_lines(path.read_text().splitlines(keepends=True))))
        return tmp_path

    return change


def slow_words(sentence):
    """Positions of the pieces of each word: even ids begin one."""
    words = []
    for position, token in enumerate(sentence):
        if position == 0 or token % 2 == 0:
            words.append([])
        words[-1].append(position)
    return words


def slow_links(folder, split, pair):
    """Of each line, those whose both words have no other; as sets."""
    out = []
    for line in (folder / f"{split}.{pair}.align").read_text().splitlines():
        links = {tuple(map(int, link.split("-"))) for link in line.split()}
        sides = [Counter(link[side] for link in links) for side in (0, 1)]
        out.append({(i, j) for i, j in links if sides[0][i] == sides[1][j] == 1})
    return out


def examples(task, split="train"):
    """(corpus, number in the corpus, source, target) by index in the dataset."""
    data = task.datasets[split]
    out = []
    for corpus in data.corpora:
        out += [(corpus.name, at, *corpus[at]) for at in range(len(corpus))]
    return out


def updates_of(task, max_tokens, world, update_freq):
    """The micro-batches of all ranks, update by update."""
    batches = plan(task, max_tokens=max_tokens, num_shards=world)
    size = world * update_freq
    return [batches[start : start + size] for start in range(0, len(batches), size)]


def sentence_states(sample, known):
    """Of each state of the sentences in all blocks, in turn: (corpus, line, side, column, token),
    which are looked up in the text ``known``."""
    states, before, examples = [], 0, [known[index] for index in sample["id"].tolist()]
    examples = examples[len(examples) - sample["npairs"] :]
    for block in sample["blocks"]:
        if block["parallel"]:
            count, width = block["pair_widths"]
            tokens = block["sentences"]["tokens"].tolist()
            for row, (side, number) in enumerate(np.ndindex(2, count)):
                corpus, line, *pair = examples[before + number]
                assert tokens[row][1 : len(pair[side]) + 1] == pair[side].tolist()
                states += [(corpus, line, side, at, tokens[row][at]) for at in range(width)]
            before += count
    return states, examples


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("update_freq", [1, 3])
@pytest.mark.parametrize(
    "points", [PointSettings(target_language="tr"), PointSettings(False, special_tokens=True)]
)
def test_normalizers_count_points_and_links_of_the_update(
    loaded, link_folder, points, world, update_freq
):
    special = points.special_tokens
    settings = dict(special_tokens=special, update_freq=[update_freq])
    task = loaded(points, tokens_per_sample=11, **settings)  # long pairs are out
    data = task.datasets["train"]
    links = {name: slow_links(link_folder, "train", name) for name in ("de-en", "tr-en")}
    known = examples(task)
    updates = [
        update
        for max_tokens in (80, 100, 150, 210, 270)
        for update in updates_of(task, max_tokens, world, update_freq)
    ]
    for update in updates:
        expected = Counter()
        for index in (i for batch in update if not batch.filler for i in batch.indices):
            corpus, line, *sides = known[index]
            target = sides[0 if corpus.startswith(points.target_language) else 1]
            expected["points"] += len(slow_words(target)) if points.words else len(target)
            expected["points"] += 2 * points.special_tokens
            expected["links"] += len(links[corpus][line]) + 2 * special
        for batch in update:
            assert batch.normalizers["points"] == expected["points"] > 0
            assert batch.normalizers["links"] == expected["links"]
        samples = collated(task, update)
        real = [sample for sample in samples if not sample["filler"]]
        assert sum(sample["points"]["targets"] for sample in real) == expected["points"]
        assert sum(len(sample["links"]["source"]) for sample in real) == expected["links"]
    assert any(batch.filler for update in updates for batch in update) == (world == 2)
    assert data.dropped


@pytest.mark.parametrize("split", ["train", "valid"])
def test_links_lie_at_the_words_of_their_pairs(loaded, link_folder, split):
    task = loaded()
    task.load_dataset(split)
    data, known = task.datasets[split], examples(task, split)
    links = {
        corpus.name: slow_links(link_folder, split, corpus.name)
        for corpus in data.corpora
        if corpus.parallel
    }
    seen, most = 0, 0
    for sample in collated(task, plan(task, split, max_tokens=9000), split):
        states, pairs = sentence_states(sample, known)
        for side, name in enumerate(("source", "target")):
            found = [states[at][:4] for at in sample["links"][name].tolist()]
            expected = [
                (corpus, line, side, 1 + slow_words(pair[side])[link[side]][-1])
                for corpus, line, *pair in pairs
                for link in sorted(links[corpus][line])
            ]
            assert found == expected
        seen += len(expected)
        most = max(most, sum(block["parallel"] for block in sample["blocks"]))
    assert seen and (most > 1 or split == "valid")


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("target", ["en", "tr", "de"])
def test_points_lie_at_the_words_of_their_pairs_through_corpora_and_blocks(loaded, pooled, target):
    """The target is on the left of the one corpus, on the right of the other, or of both."""
    task = loaded(PointSettings(target_language=target, pooled=pooled), links=None)
    known, several = examples(task), 0
    for sample in collated(task, [*plan(task, max_tokens=9000), *plan(task, max_tokens=300)]):
        states, pairs = sentence_states(sample, known)
        groups = [[pair] for pair in pairs]
        if pooled:
            names = dict.fromkeys(pair[0] for pair in pairs)
            groups = [[pair for pair in pairs if pair[0] == name] for name in names]
        points = sample["points"]
        assert len(points["source_index"]) == len(groups)
        assert points["problem_pairs"].tolist() == list(map(len, groups))
        for name in ("source", "target"):
            index, mask = points[f"{name}_index"], points[f"{name}_mask"]
            for row, inside, weights, group in zip(index, mask, points[f"{name}_weights"], groups):
                expected = []
                for corpus, line, *pair in group:
                    side = int(corpus.split("-")[0] != target)
                    side = side if name == "target" else 1 - side
                    ends = [word[-1] for word in slow_words(pair[side])]
                    expected += [(corpus, line, side, 1 + at, pair[side][at]) for at in ends]
                assert [states[at] for at in row[inside].tolist()] == expected
                np.testing.assert_allclose(weights[inside], 1 / len(expected))
        blocks = sum(block["parallel"] for block in sample["blocks"])
        several += blocks > 1 and len({pair[0] for pair in pairs}) > 1
    assert several


def test_links_may_number_subwords(loaded, tmp_path, word_folder):
    for split in ("train", "valid"):
        for pair in ("de-en", "tr-en"):
            (tmp_path / f"{split}.{pair}.align").write_text("0-0\n" * {"d": 90, "t": 30}[pair[0]])
    data = loaded(links=tmp_path, link_units="subwords").datasets["train"]
    sample = data.collater([data[index] for index in (0, 5)])
    (block,) = sample["blocks"]
    width = block["sentences"]["tokens"].size(1)
    assert sample["links"]["source"].tolist() == [1, width + 1]
    assert sample["links"]["target"].tolist() == [2 * width + 1, 3 * width + 1]


def remove(folder, name):
    (folder / name).unlink()
    return folder


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda lines: lines[:-1], r"train\.de-en\.align has 89 lines but .* 90 sentence pairs"),
        (lambda lines: [*lines[:4], "0-0 3:1\n", *lines[5:]], r"align:5: '3:1' is not a link"),
        (lambda lines: [*lines[:7], "0-0 1-99\n", *lines[8:]], "align:8: 1-99 lies outside its"),
    ],
)
def test_wrong_links_are_named_with_file_and_line(loaded, links_of, tmp_path, change, message):
    folder = links_of(tmp_path, change)
    with ends_with(message):
        loaded(links=folder)


def test_missing_links_are_named(loaded, links_of, tmp_path):
    folder = links_of(tmp_path, lambda lines: lines)
    (folder / "train.tr-en.align").unlink()
    loaded(links=folder, pairs="de-en")
    with ends_with(r"cannot read .*/train\.tr-en\.align, the word links of the train text"):
        loaded(links=folder)
    with ends_with(r"cannot read .*nowhere/train\.de-en\.align, the word links"):
        loaded(links=tmp_path / "nowhere")


@pytest.mark.parametrize("need", ["points", "links"])
def test_words_of_a_vocabulary_without_them(loaded, data_folder, link_folder, need):
    settings = {"points": PointSettings(), "links": None}
    if need == "links":
        settings = {"links": link_folder}
    with ends_with(f"{need}.*dict.txt has neither SentencePiece's word starts"):
        loaded(data=data_folder, **settings)


def test_idf_is_that_of_the_training_text_in_every_split(loaded):
    task = loaded(PointSettings(words=False, idf=True), links=None)
    task.load_dataset("valid")
    train, valid = (task.datasets[split] for split in ("train", "valid"))
    (corpus,) = (corpus for corpus in train.corpora if corpus.name == "de-en")
    documents = [set(corpus.sources[at].tolist()) for at in range(len(corpus))]
    sample = valid.collater([valid[index] for index in range(7)])
    assert sample["points"]["source_mask"].size(0) == 7
    for row, index in enumerate(sample["id"].tolist()):
        tokens = valid[index]["example"].sentences[0]
        within = np.array([sum(token in d for d in documents) for token in tokens])
        masses = np.log((1 + len(documents)) / (1 + within)) + 1
        weights = sample["points"]["source_weights"][row, : len(tokens)]
        np.testing.assert_allclose(weights, masses / masses.sum(), rtol=1e-5)


def test_a_spawned_worker_gets_the_same_points_and_links(loaded):
    task = loaded(PointSettings(idf=True))
    data = task.datasets["train"]
    task.get_batch_iterator(data, max_tokens=300, seed=1)
    there = pickle.loads(pickle.dumps(data))
    here, other = (d.collater([d[index] for index in (0, 40, 89)]) for d in (data, there))
    for name in ("points", "links"):
        for key, value in here[name].items():
            assert np.array_equal(value, other[name][key]), key


def test_an_anchor_of_links_and_whole_words_that_are_masked_are_words_of_one_kind(loaded):
    with pytest.raises(SystemExit, match="add --word-boundaries spaces"):
        loaded(PointSettings(), whole_word_masking=True, mlm=True)
    task = loaded(PointSettings(), whole_word_masking=True, word_boundaries="spaces", mlm=True)
    assert all(corpus.words for corpus in task.datasets["train"].corpora)
