"""Small stand-ins for the public files that scripts/fetch_data.sh fetches, laid out as they are."""

import bz2
import io
import json
import tarfile
import zipfile

TREEBANK = """# text = du pain
1-2	du	_	_	_	_	_	_	_	_
1	de	de	ADP	_	_	3	case	_	_
2	le	le	DET	_	_	3	det	_	_
3	pain	pain	NOUN	_	_	0	root	_	_

# text = xy mot
1-2	xy	_	_	_	_	_	_	_	_
1	x	x	NOUN	_	_	3	dep	_	_
2	y	y	AUX	_	_	3	aux	_	_
3	mot	mot	NOUN	_	_	0	root	_	_

# text = hidden
1	_	_	NOUN	_	_	0	root	_	_

"""
PAGE = "<page><title>{0}</title><ns>{1}</ns><revision><text>{2}</text></revision></page>"


def zipped(members: dict) -> bytes:
    """A zip archive of texts by their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            file.writestr(name, text)
    return buffer.getvalue()


def tarred(members: dict, compression: str = "gz", special: "tuple[tarfile.TarInfo, ...]" = ()):
    """A tar archive of texts (or bytes) by their names, and of special members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as file:
        for info in special:
            file.addfile(info)
        for name, text in members.items():
            content = text if isinstance(text, bytes) else text.encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def opus_archive(corpus: str, pair: str, lines: "dict[str, list[str]]") -> bytes:
    """An archive of OPUS: README, LICENSE, the two sides, and the ids."""
    members = {"README": "about", "LICENSE": "free", f"{corpus}.{pair}.xml": "<ids/>"}
    for language, text in lines.items():
        members[f"{corpus}.{pair}.{language}"] = "".join(f"{line}\n" for line in text)
    return zipped(members)


def wikipedia_dump(articles: "list[str]") -> bytes:
    """A dump with one page for each article's markup, a redirect and a page of another space."""
    pages = [PAGE.format(f"Title {n}", 0, text) for n, text in enumerate(articles)]
    pages.append(PAGE.format("Talk", 1, "This page is not an article at all."))
    redirect = PAGE.format("Old", 0, "#REDIRECT [[Title 1]] which has some words behind it.")
    pages.append(redirect.replace("<revision>", '<redirect title="Title 1" /><revision>'))
    head = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/"><siteinfo/>'
    return bz2.compress(f"{head}{''.join(pages)}</mediawiki>".encode())


def squad(questions: "list[str]") -> str:
    """A file in SQuAD's format, with one answer for each question's id."""
    context = "Berlin is large."
    asked = [
        {"id": q, "question": "What?", "answers": [{"text": "Berlin", "answer_start": 0}]}
        for q in questions
    ]
    document = {"title": "t", "paragraphs": [{"context": context, "qas": asked}]}
    return json.dumps({"version": "1.1", "data": [document]})


def xtreme_files() -> "dict[str, bytes]":
    """The files of XTREME's tasks by their paths at their homes, in German, English and French."""
    head = "language\tgold_label\ta\tb\tc\td\tsentence1\tsentence2\tpromptID\n"
    xnli = "".join(
        f'{lang}\tneutral\t\t\t\t\tA {lang} "x" y\t{lang} z\t1\n' for lang in ("en", "de", "fr")
    )
    multinli = "premise\thypo\tlabel\nA man.\tNo man.\tcontradictory\n"
    pawsx = "id\tsentence1\tsentence2\tlabel\n1\ta b\tb a\t1\n2\tc d\td c\t0\n"
    treebank = "ud-treebanks-v2.5/UD_{0}-X/{1}_x-ud-{2}.conllu"
    buccs = {
        f"bucc2018/bucc2018-{pair}.{split}-gold.tar.bz2": tarred(
            {
                f"bucc2018/{pair}/{pair}.{split}.{pair[:2]}": "x-1\tHallo\n",
                f"bucc2018/{pair}/{pair}.{split}.en": "en-7\tHello\n",
                f"bucc2018/{pair}/{pair}.{split}.gold": "x-1\ten-7\n",
            },
            "bz2",
        )
        for pair in ("de-en", "fr-en")
        for split in ("sample", "training")
    }
    train = squad(["english-12-3", "swahili-5-6"])
    dev = {
        f"tydiqa-goldp-v1.1-dev/tydiqa-goldp-dev-{name}.json": squad([name])
        for name in ("english", "swahili")
    }
    mlqa = {
        f"MLQA_V1/{split}/{split}-context-{c}-question-{q}.json": squad([f"{split}{c}{q}"])
        for split in ("dev", "test")
        for c in ("de", "en")
        for q in ("de", "en")
    }
    return {
        "XNLI/XNLI-MT-1.0.zip": zipped({"XNLI-MT-1.0/multinli/multinli.train.en.tsv": multinli}),
        "XNLI/XNLI-1.0.zip": zipped(
            {f"XNLI-1.0/xnli.{split}.tsv": head + xnli for split in ("dev", "test")}
        ),
        "paws/pawsx/x-final.tar.gz": tarred(
            {
                f"x-final/{name}.tsv": pawsx
                for name in ("de/dev_2k", "de/test_2k", "en/dev_2k", "en/test_2k", "en/train")
                + ("de/translated_train",)
            }
        ),
        "11234/1-3105/ud-treebanks-v2.5.tgz": tarred(
            {
                treebank.format("French", "fr", "train"): TREEBANK,
                treebank.format("French", "fr", "test"): TREEBANK,
                treebank.format("English", "en", "train"): TREEBANK.replace("du", "of-the"),
                treebank.format("English", "en", "dev"): TREEBANK,
                treebank.format("Gothic", "got", "test"): TREEBANK,
            }
        ),
        "SQuAD-explorer/dataset/train-v1.1.json": squad(["t1"]).encode(),
        "SQuAD-explorer/dataset/dev-v1.1.json": squad(["d1"]).encode(),
        "MLQA/MLQA_V1.zip": zipped({**mlqa, "__MACOSX/._x.json": "x"}),
        "tydiqa/v1.1/tydiqa-goldp-v1.1-train.json": train.encode(),
        "tydiqa/v1.1/tydiqa-goldp-v1.1-dev.tgz": tarred(dev),
        **buccs,
    }
