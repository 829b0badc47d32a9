import argparse

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.inference.word_alignment.flags import add_method_arguments, method_settings


def settings_of(method, *flags):
    parser = argparse.ArgumentParser()
    add_method_arguments(parser)
    return method_settings(argparse.Namespace(method=method, **vars(parser.parse_args(flags))))


def test_flags_that_are_given_are_settings_of_the_aligner():
    assert settings_of("transport") == {}
    assert settings_of("itermax", "--alpha", "0.5", "--iterations", "3") == {
        "alpha": 0.5,
        "iterations": 3,
    }
    assert settings_of("softmax", "--dot-product", "--threshold", "0.1") == {
        **{"dot_product": True, "threshold": 0.1}
    }
    assert settings_of("transport", "--reach", "2", "--epsilon", "1") == {"reach": 2, "epsilon": 1}


@pytest.mark.parametrize(
    "method, flag, methods",
    [
        ("itermax", "--reach", "transport"),
        ("transport", "--alpha", "itermax"),
        ("attention", "--iterations", "itermax and transport"),
        ("similarity", "--temperature", "softmax and entmax"),
        ("itermax", "--dot-product", "softmax and entmax"),
    ],
)
def test_a_flag_of_another_method_is_refused(method, flag, methods):
    with pytest.raises(UserError, match=f"{flag} is only for --method {methods}, .* {method}"):
        settings_of(method, *([flag] if flag == "--dot-product" else [flag, "1"]))


@pytest.mark.parametrize(
    "flag, value",
    [
        ("--epsilon", "0"),
        ("--epsilon", "nan"),
        ("--iterations", "0"),
        ("--reach", "-1"),
        ("--alpha", "1.1"),
        ("--temperature", "0"),
        ("--threshold", "-0.1"),
    ],
)
def test_a_transport_setting_out_of_its_range_is_refused(
    fairseq_amber_command, capsys, flag, value
):
    with pytest.raises(SystemExit) as stopped:
        fairseq_amber_command("align", "c.pt", "--method", "transport", flag, value)
    assert stopped.value.code == 2
    assert f"argument {flag}: expected a" in capsys.readouterr().err
