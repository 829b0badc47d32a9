"""A text, runs of the command over it, and what an interrupted run leaves."""

import pytest

from fairseq_amber.inference.embedding import corpus_vectors

_LINES = [
    "ein rotes Haus steht am See .",
    "ja",
    "",
    "der Hund schläft heute",
    "wir sehen zwei alte Bäume im Garten .",
    "ja",
    "guten Morgen \u2028 das Wasser",
    "das Wasser ist kalt und klar .",
    "ein rotes Haus steht am See .",
    "Montag kommt der Zug spät an .",
]


@pytest.fixture
def lines():
    """Ten lines: one is empty, two occur twice, and U+2028 ends none."""
    return list(_LINES)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(("\n".join(_LINES) + "\n").encode())
    return path


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(corpus_vectors, "CHUNK_LINES", 3)


@pytest.fixture
def embed(fairseq_amber_command, checkpoint, text, tmp_path):
    """Runs `fairseq-amber embed` on the text into out.npy."""

    def run(*flags, source=text, output=tmp_path / "out.npy"):
        return fairseq_amber_command("embed", checkpoint, source, output, *flags)

    return run


@pytest.fixture
def interrupted(embed, tmp_path, small_chunks, monkeypatch):
    """The folder that a run of --layer 2 leaves after six lines."""
    original = corpus_vectors._encode
    calls = []

    def stop(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(corpus_vectors, "_encode", stop)
        assert embed("--layer", 2)[0] == 130
    return tmp_path / "out.npy.partial"
