import argparse
from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.inference.flags import (
    add_encoder_arguments,
    add_text_arguments,
    add_vector_arguments,
    checkpoint_note,
    load_encoder,
    parallel_files,
    vector_note,
    vector_settings,
)
from fairseq_amber.inference.flags import (
    tested_on as place_of_tests,
)


def parsed(*flags):
    parser = argparse.ArgumentParser()
    add_encoder_arguments(parser)
    add_vector_arguments(parser)
    add_text_arguments(parser)
    return parser.parse_args(["c.pt", *map(str, flags)])


def test_the_encoder_is_the_one_that_the_flags_describe(checkpoint):
    args = parsed("--device", "cpu", "--dtype", "bfloat16", "--reinitialize", 3)
    args.checkpoint = checkpoint
    config = load_encoder(args).config
    assert (config["dtype"], config["reinitialized_with_seed"]) == ("bfloat16", 3)
    assert checkpoint_note(args) == f"{checkpoint} with weights drawn anew, in bfloat16"
    assert checkpoint_note(parsed()) == "c.pt"


def test_a_prefix_is_recorded_where_there_is_one():
    plain, prefixed = parsed("--pooling", "cls"), parsed("--prefix", "it's: ")
    assert vector_settings(plain) == {"pooling": "cls"}
    assert vector_note(plain) == "cls pooling"
    assert vector_settings(prefixed) == {"pooling": "mean", "prefix": "it's: "}
    assert vector_note(prefixed) == """mean pooling, --prefix 'it'"'"'s: '"""


def test_parallel_text_is_a_folder_or_two_files(corpus):
    assert [pair.name for pair in parallel_files(parsed("--folder", corpus))] == ["de-en", "en-de"]
    [pair] = parallel_files(parsed("--folder", corpus, "--pairs", "en-de"))
    assert pair.source == corpus / "test.en-de.en"
    [pair] = parallel_files(parsed("--source", "x.de-en.de", "--target", "x.de-en.en"))
    assert pair == ("de-en", Path("x.de-en.de"), Path("x.de-en.en"))
    for flags in ([], ["--source", "x"], ["--folder", corpus, "--source", "x", "--target", "y"]):
        with pytest.raises(UserError, match="give either --source FILE and --target FILE, or"):
            parallel_files(parsed(*flags))


def test_a_result_tells_where_its_test_data_lies(corpus):
    assert place_of_tests(parsed("--folder", "x", "--split", "dev")) == {
        "test": "x",
        "split": "dev",
    }
    args = parsed("--source", "x", "--target", "y")
    assert place_of_tests(args) == {"test": "x y"}
    args.gold = Path("z")
    assert place_of_tests(args) == {"test": "x y z"}
