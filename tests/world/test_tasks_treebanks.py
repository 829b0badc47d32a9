"""Treebanks whose ids are not as they should be."""

from __future__ import annotations

import sys

import pytest

from doc_pages import ROOT
from fairseq_amber.errors import UserError


@pytest.fixture
def tagged_sentences(monkeypatch):
    """The reader of treebanks of scripts/fetch_data."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "fetch_data"))
    for name in ("treebanks", "archives"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import treebanks

    return treebanks.tagged_sentences


def rows(*words: str) -> str:
    """The rows of (id, form, tag, head)."""
    lines = [word.split() for word in words]
    return "".join(f"{i}\t{w}\t_\t{t}\t_\t_\t{h}\tdep\t_\t_\n" for i, w, t, h in lines)


def test_ids_that_are_missing(tagged_sentences, tmp_path):
    """A file of which sentences were cut has ids with holes: a missing one ended in a KeyError."""
    path = tmp_path / "x.conllu"
    text = rows("1-2 du _ _", "2 le DET 4", "4 lac NOUN 0", "6-7 au _ _", "6 à ADP 4", "7 le DET 4")
    path.write_text("# text = du lac au\n" + text, encoding="utf-8")
    assert list(tagged_sentences(path, "fr")) == [[("du", "DET"), ("lac", "NOUN"), ("au", "ADP")]]
    path.write_text(rows("1 Oui INTJ 0", "3-4 au _ _"), encoding="utf-8")
    with pytest.raises(UserError, match="x.conllu: 'au' has the id 3-4, but no parts; mend it"):
        list(tagged_sentences(path, "fr"))
