import numpy as np

from fairseq_amber.inference.embedding import corpus_vectors


def test_memory_is_bounded_in_lines_and_in_bytes(embed, monkeypatch, lines):
    seen = []
    original = corpus_vectors._encode

    def record(encoder, chunk, *rest):
        seen.append(chunk)
        return original(encoder, chunk, *rest)

    monkeypatch.setattr(corpus_vectors, "_encode", record)
    monkeypatch.setattr(corpus_vectors, "CHUNK_LINES", 4)
    assert embed()[0] == 0
    assert [len(chunk) for chunk in seen] == [4, 4, 2]
    seen.clear()
    monkeypatch.setattr(corpus_vectors, "CHUNK_BYTES", 40)
    assert embed()[0] == 0
    assert sum(seen, []) == lines
    assert len(seen) > 3
    assert all(sum(len(line.encode()) + 1 for line in chunk[:-1]) < 40 for chunk in seen)


def test_a_sentence_that_occurs_twice_in_a_chunk_is_encoded_once(
    embed, encoder, monkeypatch, lines
):
    rows = []
    original = type(encoder)._states
    monkeypatch.setattr(
        type(encoder),
        "_states",
        lambda self, x, layers: rows.extend(x) or original(self, x, layers),
    )
    assert embed()[0] == 0
    assert len(rows) == len(set(lines)) < len(lines)


def test_progress_counts_every_line(encoder, lines):
    steps = []
    corpus_vectors._encode(encoder, lines, corpus_vectors.VectorSettings(), steps.append)
    assert sum(steps) == len(lines) > len(set(lines))


def test_lines_beyond_the_longest_row_are_counted_and_cut(embed, text, encoder, tmp_path):
    long = " ".join(["Haus"] * 200)
    text.write_text(f"ja\n{long}\n{long}\n")
    status, _, err = embed()
    assert status == 0
    assert f"warning: 2 sentences of {text} are longer than 80 subwords" in err
    cut = np.load(tmp_path / "out.npy")[1]
    np.testing.assert_allclose(cut, encoder.embed([long])[0], rtol=0, atol=1e-6)


def test_a_vector_that_overflows_names_its_line(embed, edited_checkpoint, monkeypatch, text):
    original = corpus_vectors.Encoder.sentence_vectors

    def grow(self, ids, **flags):
        for rows, batch in original(self, ids, **flags):
            batch[rows == 3] = 1e5  # the fourth line
            yield rows, batch

    monkeypatch.setattr(corpus_vectors.Encoder, "sentence_vectors", grow)
    status, _, err = embed("--output-dtype", "float16")
    assert status == 2 and err.count("\n") == 1
    assert f"{text}:4: the vector overflows" in err and "--output-dtype float32" in err
    assert embed()[0] == 0
