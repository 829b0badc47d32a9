"""The languages together: what one of them says, each of them says."""

from __future__ import annotations

from fairseq_amber.demo_corpus.sampler import Sampler
from fairseq_amber.demo_corpus.tokens import text


def test_languages_share_their_units(realisers):
    """Whatever is said as a word of its own, other than articles, is said in every language."""
    sampler = Sampler("units")
    for _ in range(500):
        sentence = sampler.sentence()
        lines = {language: say(sentence) for language, say in realisers.items()}
        for language, tokens in lines.items():
            everywhere = {unit for token in tokens for unit in token.sure + token.possible}
            for other, said in lines.items():
                words = {unit for token in said for unit in token.sure}
                missing = {unit for unit in words - everywhere if unit[-1] not in ",dI"}
                assert not missing, (language, other, missing, text(tokens), text(said))
