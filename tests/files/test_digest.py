from fairseq_amber.files.digest import digest_of


def test_every_change_to_the_lines_or_where_they_end_is_seen():
    texts = [["a", "b"], ["c"]]
    others = [
        [["a", "b"], ["d"]],
        [["b", "a"], ["c"]],
        [["a"], ["b", "c"]],
        [["ab"], ["c"]],
        [["a", "b"], ["c"], []],
        [["a", "b", "c"]],
    ]
    digests = {digest_of(*sides) for sides in [texts, *others]}
    assert len(digests) == 1 + len(others) and all(len(digest) == 16 for digest in digests)
    assert digest_of(*(iter(side) for side in texts)) == digest_of(*texts)
