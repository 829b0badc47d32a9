"""Heads of fine-tuned checkpoints under the names of transformers; its models are the witness."""

import pytest
import torch

from fairseq_amber.convert.hugging_face.export_head import export_head
from fairseq_amber.convert.pretrained import Head
from fairseq_amber.models.heads import HEADS

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta"])
@pytest.mark.parametrize("kind", sorted(HEADS))
def test_scores_are_those_of_transformers(kind, model_type):
    torch.manual_seed(2)
    count = 2 if kind == "qa" else 3
    ours = HEADS[kind](16, count, 0.0).eval()
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter)
    labels = [] if kind == "qa" else ["x", "y", "z"]
    head = export_head(Head(kind, dict(ours.state_dict()), labels), model_type)
    config = transformers.AutoConfig.for_model(
        model_type,
        vocab_size=20,
        intermediate_size=16,
        max_position_embeddings=20,
        **SHAPE,
        **head.config,
    )
    model = getattr(transformers, head.architecture)(config).eval()
    missing, unexpected = model.load_state_dict(head.weights, strict=False)
    assert not unexpected and not any(name.startswith(("classifier", "qa")) for name in missing)
    tokens = torch.randint(4, 20, (2, 7))
    with torch.no_grad():
        theirs = model(tokens, output_hidden_states=True)
        states = theirs.hidden_states[-1]
        scores = ours(states[:, 0] if kind == "classification" else states)
    if kind == "qa":
        expected = torch.stack([theirs.start_logits, theirs.end_logits], dim=-1)
    else:
        expected = theirs.logits
        assert model.config.id2label == {0: "x", 1: "y", 2: "z"}
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-5)


def test_labels_that_are_not_known_get_numbers():
    weights = {"out_proj.weight": torch.zeros(2, 4), "out_proj.bias": torch.zeros(2)}
    config = export_head(Head("tagging", weights, []), "bert").config
    assert config["id2label"] == {"0": "LABEL_0", "1": "LABEL_1"}
    assert config["label2id"] == {"LABEL_0": 0, "LABEL_1": 1}
