"""Makes sentences out of a Wikipedia dump: ``{train,valid}.<lang>``, one sentence a line.

The dump is MediaWiki's XML with the newest text of every page. The text of articles is taken out of
the wiki markup by a handful of rules, which do less than WikiExtractor (which XLM uses): templates,
tables, references, headings, lists and media are dropped, links and emphasis keep their words, and
what still has markup in it is dropped by the line.
"""

from __future__ import annotations

import bz2
import html
import re
import tempfile
import xml.etree.ElementTree
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

from archives import DamagedFile, check_room

from fairseq_amber.errors import UserError
from fairseq_amber.files.writing import atomic_writer

_CONTENT = "ref|math|gallery|table|timeline|score|code|syntaxhighlight|source|pre|nowiki|chem|hiero"
_ELEMENT = re.compile(rf"<({_CONTENT})\b[^<>]*?(?:/>|>.*?</\1\s*>)", re.S | re.I)
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_TEMPLATE = re.compile(r"\{\{\{?[^{}]*\}?\}\}")
_TABLE = re.compile(r"\{\|(?:(?!\{\||\|\}).)*\|\}", re.S)
_LINK = re.compile(r"\[\[([^\[\]]*)\]\]")
_WEB = re.compile(r"\[(?:https?:|ftp:)?//[^\s\]]*\s*([^\]]*)\]")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_BEHAVIOUR = re.compile(r"__[A-Z]+__")
_NAMESPACE = re.compile(r"[^\s:|]+:\S")  # File:x.jpg, Catégorie:y, de:z; no title such as "A: b"
_NOT_PROSE = ("=", "*", "#", ":", ";", "|", "!", "{", "}", "-")
_LEFTOVER = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{\||\|\}")
# A sentence ends before white space that a capital, a digit, an opening mark or a letter without
# case follows; the full stops of Chinese and Japanese need no white space.
_END = re.compile(
    r"(?<=[.!?…؟۔।։])[\"'”’»)\]]*(?P<gap>\s+)(?=\S)|(?<=[。！？])(?P<close>[」』”’）]*)(?=[^」』”’）\s])"
)
_SHORTEST = 10  # characters


def lay_out_wikipedia(folder: Path, language: str, valid: int, dump: Path) -> list[Path]:
    """Writes the sentences of a dump, with an empty line after each article.

    Whole articles are held out, spread evenly over the dump, as many as hold about ``valid``
    sentences and at most a tenth of all articles. (XLM draws 5,000 lines at random.) Where that is
    none, there is no file of held-out text, and one of an earlier run is removed.

    Raises:
        DamagedFile: the dump is damaged.
        UserError: the dump has no article.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked.") as unpacked:
        text = Path(unpacked) / "text"
        counts = [0, 0]
        with open(text, "w", encoding="utf-8", newline="\n") as file:
            for sentences in _articles(dump):
                counts[0] += 1
                counts[1] += len(sentences)
                file.writelines(f"{line}\n" for line in (*sentences, ""))
        articles, lines = counts
        if not articles:
            raise UserError(f"{dump} has no article with text")
        check_room(folder, text.stat().st_size)
        held_out = min(-(-valid * articles // lines), articles // 10)
        paths = [folder / f"{split}.{language}" for split in ("train", "valid")]
        written = paths if held_out else paths[:1]
        article = 0
        with ExitStack() as stack:
            files = [stack.enter_context(atomic_writer(path, binary=True)) for path in written]
            for line in stack.enter_context(open(text, "rb")):
                grows = (article + 1) * held_out // articles > article * held_out // articles
                files[grows].write(line)
                article += line == b"\n"
        for path in paths[len(written) :]:
            path.unlink(missing_ok=True)
    print(f"{language}: {lines} sentences of {articles} articles, {held_out} articles held out")
    return written


def _articles(dump: Path) -> Iterator[list[str]]:
    """Yields the sentences of each article that has some."""
    try:
        with bz2.open(dump, "rb") as file:
            page: dict[str, str] = {}
            events = xml.etree.ElementTree.iterparse(file, ("start", "end"))
            _, root = next(events)
            for event, element in events:
                tag = element.tag.rpartition("}")[2]
                if event == "start":
                    page = {} if tag == "page" else page
                elif tag in ("ns", "text", "redirect"):
                    page[tag] = element.text or ""
                elif tag == "page":
                    if page.get("ns") == "0" and "redirect" not in page:
                        sentences = sentences_of(page.get("text", ""))
                        if sentences:
                            yield sentences
                    root.clear()  # a dump has millions of pages
                elif tag == "siteinfo":
                    root.clear()
                if event == "end" and tag == "mediawiki":
                    return
    except (OSError, EOFError, xml.etree.ElementTree.ParseError) as error:
        raise DamagedFile(dump, f"is damaged ({error})") from None


def sentences_of(markup: str) -> list[str]:
    """Returns the sentences of an article's prose, from its wiki markup."""
    text = _COMMENT.sub("", markup)
    text = _ELEMENT.sub("", text)
    for pattern, replacement in ((_TEMPLATE, ""), (_TABLE, ""), (_LINK, _words_of_link)):
        count = 1
        while count:  # from the inside out
            text, count = pattern.subn(replacement, text)
    text = _BEHAVIOUR.sub("", _TAG.sub("", _WEB.sub(r"\1", text)))
    text = html.unescape(re.sub(r"'{2,5}", "", text))
    sentences = []
    for line in text.split("\n"):
        line = " ".join(line.split())
        if (
            len(line) >= _SHORTEST
            and not line.startswith(_NOT_PROSE)
            and not _LEFTOVER.search(line)
        ):
            sentences += split_sentences(line)
    return sentences


def _words_of_link(match: re.Match) -> str:
    target, bar, words = match[1].partition("|")
    if not target.startswith(":") and _NAMESPACE.match(target.strip()):
        return ""
    return words if bar else target.lstrip(":")


def split_sentences(paragraph: str) -> list[str]:
    """Cuts a paragraph after full stops. Abbreviations are cut too where a capital follows."""
    sentences, start = [], 0
    for match in _END.finditer(paragraph):
        following = paragraph[match.end()]
        if match["gap"] is not None and following.islower():
            continue
        end = match.start("gap") if match["gap"] is not None else match.end()
        sentences.append(paragraph[start:end].strip())
        start = match.end()
    sentences.append(paragraph[start:].strip())
    return [sentence for sentence in sentences if sentence]
