"""With token types and BERT's epsilon, the model equals BERT of transformers."""

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

PAD = 1
NAMES = (  # of ours, of theirs; in this order
    ("encoder.sentence_encoder.layers.", "bert.encoder.layer."),
    ("self_attn_layer_norm", "attention.output.LayerNorm"),
    ("self_attn.out_proj", "attention.output.dense"),
    ("self_attn.q_proj", "attention.self.query"),
    ("self_attn.k_proj", "attention.self.key"),
    ("self_attn.v_proj", "attention.self.value"),
    ("fc1", "intermediate.dense"),
    ("fc2", "output.dense"),
    ("final_layer_norm", "output.LayerNorm"),
    ("encoder.sentence_encoder.embed_tokens", "bert.embeddings.word_embeddings"),
    ("encoder.sentence_encoder.embed_positions", "bert.embeddings.position_embeddings"),
    ("encoder.sentence_encoder.embed_segments", "bert.embeddings.token_type_embeddings"),
    ("encoder.sentence_encoder.layernorm_embedding", "bert.embeddings.LayerNorm"),
    ("encoder.lm_head.dense", "cls.predictions.transform.dense"),
    ("encoder.lm_head.layer_norm", "cls.predictions.transform.LayerNorm"),
    ("encoder.lm_head.weight", "cls.predictions.decoder.weight"),
    ("encoder.lm_head.bias", "cls.predictions.bias"),
)


@pytest.fixture
def bert(dictionary, shape):
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=len(dictionary),
        hidden_size=shape["encoder_embed_dim"],
        num_hidden_layers=shape["encoder_layers"],
        num_attention_heads=shape["encoder_attention_heads"],
        intermediate_size=shape["encoder_ffn_embed_dim"],
        max_position_embeddings=shape["max_positions"],
        pad_token_id=PAD,
        initializer_range=0.3,
    )
    model = transformers.BertForMaskedLM(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # which start at zero, where a mistake would not show
            torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture
def ours(bert, make_model):
    model = make_model(token_types=2, layer_norm_eps=1e-12).eval()
    theirs, state = bert.state_dict(), {}
    for name, value in model.state_dict().items():
        name_there = name
        for part, bert_part in NAMES:
            name_there = name_there.replace(part, bert_part)
        given = theirs[name_there]
        # our table has a row for the padding and one for each index before it
        state[name] = torch.cat([value[: len(value) - len(given)], given])
    model.load_state_dict(state)
    return model


def test_states_and_scores_are_berts(bert, ours):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(4, 44, (4, 12), generator=generator)
    tokens[1, 7:] = tokens[2, 1:] = PAD
    segments = (torch.arange(12) > torch.tensor([[5], [2], [0], [11]])).long()
    real = tokens != PAD
    for given in (None, segments):
        with torch.no_grad():
            expected = bert(
                tokens, attention_mask=real, token_type_ids=given, output_hidden_states=True
            )
            scores, extra = ours(tokens, segments=given, return_all_hiddens=True)
        torch.testing.assert_close(scores[real], expected.logits[real], atol=1e-5, rtol=1e-5)
        assert len(extra["layers"]) == len(expected.hidden_states)
        for state, bert_state in zip(extra["layers"], expected.hidden_states):
            torch.testing.assert_close(state[real], bert_state[real], atol=1e-5, rtol=1e-5)
