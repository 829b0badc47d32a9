"""The page on word links: its program writes the text that links count, and its example is read."""

import re

from doc_pages import ROOT
from fairseq_amber.data.alignment.training_links import LinkFile
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.words import link_word_finder
from fairseq_amber.tokenizers.dictionary import load_dictionary
from toy_corpora import write_binarised

PAGE = (ROOT / "docs" / "optimal-transport.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## Links of FastAlign and eflomal") :]
PIECES = "▁a ▁b c 我 ▁ ▁你 .".split()  # the ids 4, 5, ...
SENTENCES = {
    "de": [[4, 6, 5], [6], [8, 7, 4, 10], [8, 9]],
    "en": [[5], [8, 8, 4], [9, 7, 10], [4, 4, 4, 6]],
}


def test_the_program_writes_the_words_that_links_count(tmp_path, monkeypatch):
    folder = tmp_path / "data-bin" / "NAME"
    for split in ("train", "valid"):
        for language, sentences in SENTENCES.items():
            prefix = folder / "parallel" / "de-en" / f"{split}.de-en.{language}"
            write_binarised(prefix, sentences)
    (folder / "dict.txt").write_text("".join(f"{piece} 1\n" for piece in PIECES), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", SECTION, flags=re.S)
    exec(program, {})
    dictionary = load_dictionary(folder)
    finder = link_word_finder(dictionary.symbols, Specials.of(dictionary), "links")
    lines = (tmp_path / "train.de-en.text").read_text(encoding="utf-8").splitlines()
    assert lines == (tmp_path / "valid.de-en.text").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "▁ac ▁b ||| ▁b" and len(lines) == 4
    for side, language in enumerate(SENTENCES):
        file = TokenFile(folder / "parallel" / "de-en" / f"train.de-en.{language}")
        counts = [len(line.split(" ||| ")[side].split()) for line in lines]
        assert counts == finder.words(file).counts().tolist()


def test_the_output_of_fast_align_is_taken_as_it_is(tmp_path):
    (line,) = re.findall(r"^    (\d+-\d+ .*)$", SECTION, flags=re.M)
    path = tmp_path / "train.de-en.align"
    path.write_text(f"{line}\n\n0-0\n")  # of a second pair without links, and a third
    links = LinkFile(path, 3)
    # 2-1, 4-4 and others share a word with another link
    assert links[0].tolist() == [[0, 0], [10, 7], [11, 8]]
    assert [len(links[1]), links[2].tolist()] == [0, [[0, 0]]]
