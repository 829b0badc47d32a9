from fairseq_amber.files.tables import markdown_table, plain_table


def test_tables_align_wide_and_combining_characters():
    plain = plain_table(["pair", "x"], [["红", "1.0"], ["e\u0301t", "10.0"]])
    assert plain.splitlines() == ["pair     x", "红     1.0", "e\u0301t    10.0"]
    table = markdown_table(["", "AB"], [["word", "1"]])
    assert table.splitlines() == ["|      | AB |", "| ---- | -: |", "| word |  1 |"]
