"""From raw files to a task folder, with a learnt SentencePiece model and a small WordPiece one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber import cli
from fairseq_amber.data.finetuning.question_answering import AnswerGold
from fairseq_amber.data.finetuning.squad_file import read_squad
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.metrics.answers import Span
from fairseq_amber.preparation.task import encoder as encoder_module
from fairseq_amber.tokenizers.subwords import TokenizerFiles

TRAIN = "Der\tDET\nHund\tNOUN\nschläft\tVERB\n\nHunde\tNOUN\n☃\tX\n"
TEST = "狗\n睡\n\u200b\n觉\n\nDer\nHund\n"
CONTEXT = "Der Hund (Bello) schläft im ﬁnsteren Garten."


def squad(identity: str, *answers: str, context: str = CONTEXT) -> str:
    entries = [{"text": text, "answer_start": context.index(text)} for text in answers]
    question = {"id": identity, "question": "Wo schläft Bello?", "answers": entries}
    content = {"data": [{"paragraphs": [{"context": context, "qas": [question]}]}]}
    return json.dumps({"version": "1.1", **content}, ensure_ascii=False)


FILES = {
    "train.tsv": TRAIN,
    "test.tsv": TEST,
    "more.tsv": "Garten\n",
    "pairs.tsv": 'Der Hund\tEin ""Hund""\t1\n"Der ""Hund"""\tschläft\t0\n',
    "blank.tsv": "Der Hund\tEin Hund\n",
    "nli.tsv": "Der Hund\tEin Hund\tneutral\n",
    "one.json": squad("1", "Bello", "Hund"),
    "two.json": squad("2", "ﬁnsteren", context="Im ﬁnsteren Garten") + "\n",
    "none.json": squad("3"),
}


@pytest.fixture(scope="module", params=["sentencepiece", "wordpiece"])
def tokenizer(request, tmp_path_factory) -> Path:
    """A folder with dict.txt in another order than the tokenizer's."""
    folder = tmp_path_factory.mktemp("data-bin")
    words = "Der Hund schläft im finsteren Garten Bello Ein Wo Hunde ? ( ) .".split()
    if request.param == "wordpiece":
        pytest.importorskip("tokenizers")
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##e", *words, "狗", "睡"]
        (folder / "vocab.txt").write_text("".join(f"{p}\n" for p in pieces), encoding="utf-8")
        pieces = pieces[5:]
    else:
        import sentencepiece

        prefix = str(folder / "sentencepiece.bpe")
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter([" ".join(words), "我的狗睡", "狗和睡", "Hunde, Gärten"] * 9),
            model_prefix=prefix,
            vocab_size=120,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        (folder / "sentencepiece.bpe.vocab").unlink()
        processor = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
        pieces = [processor.IdToPiece(i) for i in range(3, processor.GetPieceSize())]
    lines = "".join(f"{piece} 1\n" for piece in reversed(pieces))
    (folder / "dict.txt").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
def prepare(tmp_path: Path, tokenizer: Path, monkeypatch, capsys):
    """Runs the command in a folder with the raw files; (status, standard output, error)."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")

    def run(task: str, *flags: str, tokenizer: Path = tokenizer) -> tuple[int, str, str]:
        arguments = ["prepare-task", task, "out", "--tokenizer", str(tokenizer), *flags]
        status = cli.main([*arguments, "--workers", "2"])
        return (status, *capsys.readouterr())

    return run


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fairseq_ids(folder: Path, text: str) -> list[int]:
    from fairseq.data import Dictionary

    from fairseq_amber.inference.tokenizer import Tokenizer

    dictionary = Dictionary.load(str(folder / "dict.txt"))
    return Tokenizer.load(folder, dictionary).encode([text])[0].tolist()


def rows(tokens: np.ndarray, lengths: np.ndarray) -> list[list[int]]:
    assert tokens.dtype == lengths.dtype == np.int32 and lengths.sum() == len(tokens)
    return [row.tolist() for row in np.split(tokens, np.cumsum(lengths)[:-1])]


def test_it_says_how_far_it_is(prepare, progress_of, monkeypatch):
    monkeypatch.setattr("fairseq_amber.preparation.task.encoder._TEXTS", 2)
    status, out, err = prepare("pos", "--train", "en=train.tsv", "--test", "zh=test.tsv")
    found = progress_of(err)
    assert list(found) == ["reading", "encoding train en", "encoding test zh"]
    assert found["reading"] == "2 of 2 texts"
    for counts in found.values():
        done, _, total, _ = counts.split()
        assert done == total
    assert "fairseq-amber:" not in out


def test_tagging(prepare, tokenizer: Path, caplog):
    flags = "--train en=train.tsv --valid en=train.tsv --test zh=test.tsv --test zh=more.tsv"
    status, out, error = prepare("pos", *flags.split())
    assert status == 0
    folder = TaskFolder.open("out")
    assert folder.labels == ["DET", "NOUN", "VERB", "X"] and folder.kind.name == "tagging"
    assert Path("out/labels.txt").read_text() == "DET\nNOUN\nVERB\nX\n"
    assert folder.splits["test"] == {"zh": {"examples": 3, "sources": ["test.tsv", "more.tsv"]}}
    for path in tokenizer.iterdir():
        assert Path("out", path.name).read_bytes() == path.read_bytes()

    arrays = folder.arrays("train", "en")
    assert set(arrays) == set(folder.kind.arrays)
    assert arrays["sentence_lengths"].tolist() == [3, 2]
    assert arrays["labels"].tolist() == [0, 1, 2, 1, 3] and arrays["labels"].dtype == np.int16
    words = rows(arrays["tokens"], arrays["word_lengths"])
    for start, end, sentence in ((0, 3, "Der Hund schläft"), (3, 5, "Hunde ☃")):
        assert sum(words[start:end], []) == fairseq_ids(Path("out"), sentence)
    assert words[-1][-1] == 3  # <unk>

    arrays = folder.arrays("test", "zh")
    assert arrays["sentence_lengths"].tolist() == [4, 2, 1]
    assert arrays["labels"].tolist() == [-1] * 7
    words = rows(arrays["tokens"], arrays["word_lengths"])
    assert words[2] == [3]  # a word of nothing but white space
    symbols = ["<s>", "<pad>", "</s>", "<unk>"]
    symbols += [line.split()[0] for line in Path("out/dict.txt").read_text("utf-8").splitlines()]
    heads = [symbols[word[head]] for word, head in zip(words, arrays["word_heads"])]
    assert heads[:2] == ["狗", "睡"] and heads[4].lstrip("\u2581").startswith("D")
    if Path("out/sentencepiece.bpe.model").exists():
        assert [symbols[i] for i in words[0]] == ["\u2581", "狗"]
    else:
        assert not arrays["word_heads"].any()
    lines = out.splitlines()
    assert lines[0].split() == "sentences words subwords unknown DET NOUN VERB X blank".split()
    assert lines[1].split()[:4] == ["train", "en", "2", "5"]
    assert lines[1].split()[-5:] == ["1", "2", "1", "1", "0"]
    assert lines[3].split()[-1] == "7"
    assert "train en: " in caplog.text + error and "subwords are <unk>; give" in caplog.text + error
    assert lines[-1].startswith("out: pos, ")


def test_classification(prepare):
    flags = "--train en=pairs.tsv --train en=pairs.tsv --test de=blank.tsv".split()
    status, _, error = prepare("pawsx", *flags)
    assert status == 2 and "--train en=pairs.tsv: given twice" in error
    status, out, _ = prepare("pawsx", *flags[2:])
    folder = TaskFolder.open("out")
    assert (status, folder.labels) == (0, ["0", "1"])
    arrays = folder.arrays("train", "en")
    first = rows(arrays["first_tokens"], arrays["first_lengths"])
    second = rows(arrays["second_tokens"], arrays["second_lengths"])
    texts = ["Der Hund", 'Der "Hund"', 'Ein ""Hund""', "schläft"]
    assert first + second == [fairseq_ids(Path("out"), text) for text in texts]
    assert arrays["labels"].tolist() == [1, 0]
    assert folder.arrays("test", "de")["labels"].tolist() == [-1]
    assert out.splitlines()[0].split() == ["pairs", "subwords", "unknown", "0", "1", "blank"]


def test_question_answering(prepare):
    flags = "--train en=one.json --train en=two.json --test de=two.json --test fr=none.json"
    status, out, _ = prepare("squad", *flags.split())
    assert status == 0
    folder = TaskFolder.open("out")
    assert folder.labels == [] and not Path("out/labels.txt").exists()
    assert folder.examples_path("test", "de").read_text(encoding="utf-8") == FILES["two.json"]
    joined = read_squad(folder.examples_path("train", "en"))
    assert [question.id for question in joined.questions] == ["1", "2"]

    arrays = folder.arrays("train", "en")
    contexts = rows(arrays["context_tokens"], arrays["context_lengths"])
    assert contexts == [fairseq_ids(Path("out"), context) for context in joined.contexts]
    questions = rows(arrays["question_tokens"], arrays["question_lengths"])
    assert questions == [fairseq_ids(Path("out"), "Wo schläft Bello?")] * 2
    assert arrays["paragraph"].tolist() == [0, 1]
    starts = [0, len(contexts[0])]
    for start, question, (first, last) in zip(starts, joined.questions, arrays["answer_tokens"]):
        begin = arrays["context_offsets"][start + first, 0]
        end = arrays["context_offsets"][start + last, 1]
        assert question.answers[0].text in joined.contexts[question.context][begin:end].strip("()")
    assert folder.arrays("test", "fr")["answer_tokens"].tolist() == [[-1, -1]]
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["questions", "contexts", "subwords", "unknown", "answers", "exact"]
    assert lines[1][:4] == ["train", "en", "2", "2"] and lines[1][-2] == "2"
    assert lines[3][-2:] == ["0", "0"]


def test_ids_that_repeat(prepare):
    """As TyDiQA's training files have them, whose text is also validated on."""
    flags = "--train en=one.json --train en=again.json --valid en=one.json --valid en=again.json"
    Path("again.json").write_text(squad("1", "Garten"), encoding="utf-8")
    assert prepare("tydiqa", *flags.split())[0] == 0
    folder = TaskFolder.open("out")
    answers = folder.arrays("valid", "en")["answer_tokens"].tolist()
    assert answers[0] != answers[1]
    questions = AnswerGold(folder, "valid", "en")
    gold = [[Span(first, last, 0.0)] for first, last in answers]
    assert questions.score(gold) == {"f1": 100, "em": 100}
    assert questions.score(gold[::-1]) == {"f1": 0, "em": 0}
    status, _, error = prepare("tydiqa", *"--test en=one.json --test en=again.json".split())
    assert status == 2 and "the question id '1' is there twice" in error


@pytest.mark.parametrize("tokenizer", ["sentencepiece"], indirect=True)
def test_a_word_that_is_a_bare_mark_of_spaces(prepare):
    """A model that keeps spaces as they are makes it one token, which is all that there is."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(["Der Hund 狗", "狗 Hunde"] * 9),
        model_prefix="spaces",
        vocab_size=60,
        hard_vocab_limit=False,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_by_whitespace=False,
        minloglevel=2,
    )
    Path("marks.tsv").write_text("\u2581\nHund\n\u2581狗\n", encoding="utf-8")
    flags = "--train en=train.tsv --test de=marks.tsv".split()
    assert prepare("pos", *flags, tokenizer=Path("spaces.model"))[0] == 0
    arrays = TaskFolder.open("out").arrays("test", "de")
    mark, dog = fairseq_ids(Path("out"), "\u2581") + fairseq_ids(Path("out"), "狗")
    words = rows(arrays["tokens"], arrays["word_lengths"])
    assert (words[0], words[2]) == ([mark], [mark, dog])
    assert arrays["word_heads"].tolist() == [0, 0, 1]


def test_the_tokenizer_is_loaded_once_for_all_files(prepare, monkeypatch):
    loads = []
    load = TokenizerFiles.load
    monkeypatch.setattr(TokenizerFiles, "load", lambda self: loads.append(1) or load(self))
    flags = "--train en=train.tsv --valid de=train.tsv --valid en=train.tsv".split()
    assert prepare("pos", *flags[:2])[0] == 0
    once = len(loads)
    assert prepare("pos", *flags)[0] == 0
    assert len(loads) == 2 * once


def test_the_result_does_not_depend_on_the_workers(prepare, monkeypatch):
    flags = "--train en=train.tsv --test zh=test.tsv".split()
    assert prepare("pos", *flags)[0] == 0
    whole = snapshot(Path("out"))
    shutil.rmtree("out")
    monkeypatch.setattr(encoder_module, "_TEXTS", 1)
    assert prepare("pos", *flags)[0] == 0
    assert snapshot(Path("out")) == whole


def test_adding_to_a_folder(prepare):
    assert prepare("pos", "--train", "en=train.tsv", "--test", "zh=more.tsv")[0] == 0
    before = snapshot(Path("out"))
    status, _, _ = prepare(
        "pos", "--test", "zh=test.tsv", "--valid", "de=train.tsv", tokenizer=Path("out")
    )
    assert status == 0
    folder = TaskFolder.open("out")
    assert [folder.languages(split) for split in ("train", "valid", "test")] == [
        ["en"], ["de"], ["zh"]
    ]  # fmt: skip
    assert folder.splits["test"]["zh"] == {"examples": 2, "sources": ["test.tsv"]}
    after = snapshot(Path("out"))
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"task.json", "valid.de.npz", "test.zh.npz"}


@pytest.mark.parametrize(
    "task, flags, message",
    [
        ("ner", "--train en=train.tsv", "out holds the task pos, not ner"),
        ("pos", "--train en=test.tsv", "test.tsv:1: no label behind a tab"),
        ("pos", "--train de=bad.tsv", "out was prepared with other labels (DET, NOUN, VERB, X)"),
        ("pos", "--valid de=bad.tsv", "bad.tsv:2: unknown label 'ADV'; out/labels.txt has DET,"),
        ("pos", "--test de=train.tsv --tokenizer other", "was prepared with another"),
    ],
)
def test_what_cannot_be_added(task: str, flags: str, message: str, prepare, tokenizer: Path):
    assert prepare("pos", "--train", "en=train.tsv")[0] == 0
    Path("bad.tsv").write_text("Der\tDET\nHund\tADV\n")
    shutil.copytree(tokenizer, "other")
    with open("other/dict.txt", "a") as stream:
        stream.write("more 1\n")
    before = snapshot(Path("out"))
    status, out, error = prepare(task, *flags.split())
    assert (status, out) == (2, "") and error.count("\n") == 1 and message in error
    assert snapshot(Path("out")) == before


@pytest.mark.parametrize(
    "task, flags, message",
    [
        ("pos", "--train en=train.tsv --test de=pairs.tsv", "pairs.tsv:1: 3 columns"),
        ("pos", "--test de=test.tsv", "the labels come from the training text; add it"),
        ("pos", "--test de=train.tsv --labels few", "train.tsv:3: unknown label 'VERB'; few has"),
        ("xnli", "--train en=pairs.tsv", "pairs.tsv:1: unknown label '1'; the task xnli has"),
        ("xnli", "--train en=nli.tsv --labels few", "--labels is for tagging alone"),
        ("squad", "--test en=one.json --test en=more.json", "more.json: question '9': 'text' is"),
        ("squad", "--test en=train.tsv", "train.tsv:1: broken JSON"),
        ("pos", "--train en=train.tsv --tokenizer none", "cannot read none"),
        ("pos", "", "no files to prepare"),
    ],
)
def test_nothing_is_written_if_anything_is_wrong(task: str, flags: str, message: str, prepare):
    Path("few").write_text("DET\nNOUN\n")
    Path("more.json").write_text(squad("9", "Der").replace('"text": "Der"', '"text": 7'))
    before = sorted(Path().iterdir())
    status, out, error = prepare(task, *flags.split())
    assert (status, out) == (2, "") and error.count("\n") == 1 and message in error
    assert sorted(Path().iterdir()) == before


def test_a_folder_of_somebody_else(prepare):
    Path("out").mkdir()
    assert prepare("pos", "--train", "en=train.tsv")[0] == 0  # an empty one will do
    shutil.rmtree("out")
    Path("out").mkdir()
    Path("out/thesis.tex").write_text("all of it")
    status, _, error = prepare("pos", "--train", "en=train.tsv")
    assert status == 2 and "out exists and is no prepared task; name another folder" in error
    assert [path.name for path in Path("out").iterdir()] == ["thesis.tex"]


def test_an_interruption_leaves_nothing(prepare, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    before = sorted(Path().iterdir())
    monkeypatch.setattr("fairseq_amber.preparation.task.output.TaskWriter.finish", interrupt)
    status, _, error = prepare("pos", "--train", "en=train.tsv")
    assert status == 130 and "interrupted" in error
    assert sorted(Path().iterdir()) == before


def test_a_full_disk_is_one_line(prepare, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    status, _, error = prepare("pos", "--train", "en=train.tsv")
    assert status == 2 and error.endswith("cannot write out: No space left on device\n")
    assert not Path("out").exists()


def test_malformed_flags(prepare):
    with pytest.raises(SystemExit):
        prepare("pos", "--train", "train.tsv")
