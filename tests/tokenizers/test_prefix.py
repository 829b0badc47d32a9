import argparse
import shlex
import subprocess

import pytest

from fairseq_amber.tokenizers.prefix import prefix, quoted


def test_white_space_at_the_end_stays():
    assert prefix("query: ") == "query: " and prefix("") == ""


@pytest.mark.parametrize("text", [" ", "\n\t", "\udcff: "])
def test_text_that_a_tokenizer_would_not_see_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected"):
        prefix(text)


@pytest.mark.parametrize("text", ["query: ", "it's ", "Instruct: it's\nQuery: ", "\u2028\\n: "])
def test_bash_reads_what_is_quoted(text):
    assert "\n" not in quoted(text)
    done = subprocess.run(["bash", "-c", f"printf %s {quoted(text)}"], stdout=subprocess.PIPE)
    assert done.stdout.decode() == text


def test_plain_text_is_quoted_plainly():
    assert quoted("query: ") == shlex.quote("query: ")
