import json
import os

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import (
    check_replaceable,
    encode_json,
    parse_json,
    read_bytes,
    read_json,
    write_json,
)


def test_content_comes_back_and_people_can_read_it(tmp_path):
    content = {"system": "Größe 红", "scores": [1.5, None]}
    path = tmp_path / "new" / "x.json"
    write_json(path, content)
    assert read_json(path) == content
    assert path.read_bytes() == encode_json(content)
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[1] == '  "system": "Größe 红",' and lines[-2:] == ["}", ""]


def test_what_is_no_json_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert json.loads(path.read_text()) == {"old": 1}
    assert [other.name for other in tmp_path.iterdir()] == ["x.json"]


def test_a_missing_file_is_none_and_another_kind_is_refused(tmp_path):
    path = tmp_path / "x.json"
    assert read_json(path) is None
    for content in (b"", b"[]", b"{", b'"text"', b'{"a": "\xff"}', b'{"a":' * 100_000):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"x\.json is damaged: it is not a JSON object"):
            read_json(path)
        with pytest.raises(UserError, match="^what to do$"):
            parse_json(content, "what to do")
    with pytest.raises(UserError, match="cannot read .*missing: No such file"):
        read_bytes(tmp_path / "missing")


@pytest.mark.parametrize("content", ["", '{"metric": "AER", "n": 1}'])
def test_an_earlier_or_an_empty_file_may_be_replaced(content, tmp_path):
    (tmp_path / "a.json").write_text(content)
    check_replaceable(tmp_path / "a.json", "metric")
    check_replaceable(tmp_path / "new.json", "metric")


@pytest.mark.parametrize("content", ["0-0 1-1\n", '{"labels": []}', "[1]"])
def test_another_file_is_not_replaced(content, tmp_path):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match="it exists and holds something else; name another file"):
        check_replaceable(tmp_path / "a.json", "metric")


def test_a_byte_of_a_file_name_comes_back(tmp_path):
    name = os.fsdecode(b"\xfcber")
    write_json(tmp_path / "x.json", {"ü": name})
    assert (tmp_path / "x.json").read_bytes() == b'{\n  "\xc3\xbc": "\\udcfcber"\n}\n'
    assert read_json(tmp_path / "x.json") == {"ü": name}
