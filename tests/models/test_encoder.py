import argparse

import numpy as np
import pytest
import torch
from fairseq.models.roberta import RobertaModel

from fairseq_amber.data.layout import Specials, alignment_rows, pad_rows, sentence_row
from fairseq_amber.models import attention as attention_module
from fairseq_amber.models.amber import AmberModel

SPECIALS = Specials(bos=0, eos=2, pad=1)


@pytest.fixture
def pairs(random_sentences):
    return random_sentences(6, 1), random_sentences(6, 2)


@pytest.fixture
def stock(dictionary, shape):
    task = argparse.Namespace(source_dictionary=dictionary, max_positions=lambda: 64)
    torch.manual_seed(3)
    return RobertaModel.build_model(argparse.Namespace(**shape), task).eval()


def batch(random_sentences, seed=5, count=4):
    return pad_rows([sentence_row(s, SPECIALS) for s in random_sentences(count, seed)], 1)


def test_stock_roberta_loads_our_checkpoint_and_agrees(make_model, stock, random_sentences):
    ours = make_model().eval()
    stock.load_state_dict(dict(ours.state_dict()), strict=True)
    compare(ours, stock, batch(random_sentences))


def test_we_load_stock_robertas_checkpoint_and_agree(make_model, stock, random_sentences):
    ours = make_model().eval()
    ours.load_state_dict(dict(stock.state_dict()), strict=True)
    compare(ours, stock, batch(random_sentences))


def compare(ours, stock, tokens):
    with torch.no_grad():
        scores, extra = ours(tokens, return_all_hiddens=True)
        expected, stock_extra = stock(tokens, return_all_hiddens=True)
    real = tokens.ne(1)
    torch.testing.assert_close(scores[real], expected[real], atol=1e-5, rtol=1e-5)
    assert len(extra["inner_states"]) == 3
    for state, stock_state in zip(extra["inner_states"], stock_extra["inner_states"]):
        stock_state = stock_state.transpose(0, 1)
        torch.testing.assert_close(state[real], stock_state[real], atol=1e-5, rtol=1e-5)


def test_names_of_old_xlmr_checkpoints_load(make_model):
    ours = make_model(seed=1)
    old = {}
    for key, value in ours.state_dict().items():
        if ".q_proj." in key:
            names = [key.replace("q_proj.", f"{p}_proj.") for p in "qkv"]
            key = key.replace("q_proj.", "in_proj_")
            value = torch.cat([ours.state_dict()[name] for name in names])
        elif ".k_proj." in key or ".v_proj." in key:
            continue
        key = key.replace("encoder.", "decoder.", 1)
        old[key.replace("layernorm_embedding", "emb_layer_norm")] = value
    old["decoder.sentence_encoder.version"] = torch.tensor([1.0])
    old["decoder.sentence_encoder.layers.0.in_proj_weight"] = torch.zeros(3)
    other = make_model(seed=2)
    other.load_state_dict(old, strict=True)
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value)


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"encoder_layers": 3}, "parameters are missing"),
        ({"encoder_layers": 1}, "unknown to this model"),
        ({"encoder_embed_dim": 32}, "of another shape"),
    ],
)
def test_a_checkpoint_of_another_architecture_is_one_clear_line(make_model, overrides, message):
    state = dict(make_model().state_dict())
    with pytest.raises(SystemExit, match=f"another architecture.*{message}"):
        make_model(**overrides).load_state_dict(state)


def test_a_checkpoint_of_another_dictionary_is_one_clear_line(make_model):
    model = make_model()
    state = dict(model.state_dict())
    for name in ("sentence_encoder.embed_tokens.weight", "lm_head.weight"):
        state[f"encoder.{name}"] = torch.zeros(17, 16)
    with pytest.raises(SystemExit, match="17 symbols but the data folder's dict.txt has 45"):
        model.load_state_dict(state)


@pytest.mark.parametrize(
    "given, own, message",
    [
        (2, 0, "has 2 token types .* this model has 0; .* or --token-types 2"),
        (0, 2, "has 0 token types .* this model has 2; .* or --token-types 0"),
    ],
)
def test_mbert_for_xlmr_and_the_other_way_round_is_one_clear_line(make_model, given, own, message):
    state = dict(make_model(token_types=given).state_dict())
    with pytest.raises(SystemExit, match=f"another architecture: it {message}"):
        make_model(token_types=own).load_state_dict(state)


def test_the_settings_of_a_checkpoint_older_than_a_flag(dictionary, shape, make_model):
    task = argparse.Namespace(source_dictionary=dictionary)
    old = AmberModel.build_model(argparse.Namespace(**shape), task)
    old.load_state_dict(make_model().state_dict())


def test_padding_and_company_change_nothing(make_model, pairs):
    model = make_model().eval()
    aligned = alignment_rows(*pairs, SPECIALS)
    cross = aligned.queries, aligned.keys
    tokens = pad_rows(aligned.rows, 1)
    wide = torch.nn.functional.pad(tokens, (0, 5), value=1)
    with torch.no_grad():
        states, extra = model(
            tokens, prefix_lengths=aligned.prefix_lengths, cross=cross, features_only=True
        )
        padded, padded_extra = model(
            wide, prefix_lengths=aligned.prefix_lengths, cross=cross, features_only=True
        )
        for i, row in enumerate(aligned.rows):
            alone, alone_extra = model(
                torch.from_numpy(row)[None],
                prefix_lengths=aligned.prefix_lengths[i : i + 1],
                cross=(aligned.queries[i : i + 1], aligned.keys[i : i + 1]),
                features_only=True,
            )
            torch.testing.assert_close(states[i, : len(row)], alone[0], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(
                extra["cross_attention"][i], alone_extra["cross_attention"][0]
            )
    real = tokens.ne(1)
    torch.testing.assert_close(states[real], padded[:, :-5][real], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(extra["cross_attention"], padded_extra["cross_attention"])


def test_the_first_sentence_of_a_masked_pass_is_encoded_as_if_alone(make_model, pairs):
    model = make_model().eval()
    aligned = alignment_rows(*pairs, SPECIALS)
    with torch.no_grad():
        joint, _ = model(
            pad_rows(aligned.rows, 1), prefix_lengths=aligned.prefix_lengths, features_only=True
        )
        for row, sentence in zip(joint, [*pairs[0], *pairs[1]]):
            alone, _ = model(
                torch.from_numpy(sentence_row(sentence, SPECIALS))[None], features_only=True
            )
            torch.testing.assert_close(row[: len(sentence) + 2], alone[0], atol=1e-5, rtol=1e-4)


def test_cross_block_is_the_top_layers_attention_as_the_formula_has_it(make_model, pairs):
    """Loops over pairs and heads, from the states that enter the top layer."""
    model = make_model().eval()
    aligned = alignment_rows(*pairs, SPECIALS)
    with torch.no_grad():
        _, extra = model(
            pad_rows(aligned.rows, 1),
            prefix_lengths=aligned.prefix_lengths,
            cross=(aligned.queries, aligned.keys),
            features_only=True,
            return_all_hiddens=True,
        )
    attention = model.encoder.sentence_encoder.layers[-1].self_attn
    firsts, seconds = [*pairs[0], *pairs[1]], [*pairs[1], *pairs[0]]
    for row, (first, second) in enumerate(zip(firsts, seconds)):
        entering = extra["inner_states"][-2][row].double()
        for h in range(4):
            part = slice(4 * h, 4 * h + 4)
            q = entering @ attention.q_proj.weight[part].double().t()
            q = q + attention.q_proj.bias[part].double()
            k = entering @ attention.k_proj.weight[part].double().t()
            k = k + attention.k_proj.bias[part].double()
            start = len(first) + 2
            for i in range(len(second)):
                # all of <s> first </s>, then the second sentence strictly before token i
                visible = [*range(start), *range(start, start + i)]
                weights = (k[visible] @ q[start + i] / 2).softmax(0)  # sqrt(16 / 4) = 2
                torch.testing.assert_close(
                    extra["cross_attention"][row, h, i, : len(first)].double(),
                    weights[1 : 1 + len(first)],
                    atol=1e-5,
                    rtol=1e-4,
                )


def test_equal_logits_give_the_closed_form_with_special_tokens_as_keys(make_model):
    model = make_model().eval()
    for layer in model.encoder.sentence_encoder.layers:
        torch.nn.init.zeros_(layer.self_attn.q_proj.weight)
    aligned = alignment_rows([np.full(3, 5)], [np.full(4, 6)], SPECIALS)
    with torch.no_grad():
        _, extra = model(
            pad_rows(aligned.rows, 1),
            prefix_lengths=aligned.prefix_lengths,
            cross=(aligned.queries, aligned.keys),
        )
    y_to_x, x_to_y = extra["cross_attention"]
    for i in range(4):
        assert y_to_x[0, i, :3].tolist() == pytest.approx([1 / (3 + 2 + i)] * 3, abs=1e-6)
    for j in range(3):
        assert x_to_y[0, j, :4].tolist() == pytest.approx([1 / (4 + 2 + j)] * 4, abs=1e-6)


def test_plain_attention_for_torch_before_2_equals_the_fused_one(make_model, pairs, monkeypatch):
    model = make_model().eval()
    aligned = alignment_rows(*pairs, SPECIALS)
    tokens = pad_rows(aligned.rows, 1)
    with torch.no_grad():
        fused, _ = model(tokens, prefix_lengths=aligned.prefix_lengths)
        monkeypatch.setattr(attention_module, "_HAS_FUSED_ATTENTION", False)
        plain, _ = model(tokens, prefix_lengths=aligned.prefix_lengths)
    real = tokens.ne(1)
    torch.testing.assert_close(fused[real], plain[real], atol=1e-5, rtol=1e-4)


def test_masked_positions_alone_are_scored(make_model, random_sentences):
    model = make_model().eval()
    tokens = batch(random_sentences)
    mask = torch.zeros_like(tokens, dtype=torch.bool)
    mask[0, 1] = mask[2, 0] = True
    with torch.no_grad():
        everything, _ = model(tokens)
        by_mask, _ = model(tokens, masked_tokens=mask)
        positions = torch.tensor([[1, 0], [0, 0], [0, 0]])
        by_place, _ = model(tokens, predicted=(positions, torch.tensor([0, 4])))
    torch.testing.assert_close(by_mask, everything[mask])
    torch.testing.assert_close(by_place, everything[mask], atol=1e-5, rtol=1e-5)


def test_every_weight_starts_as_berts(dictionary):
    import argparse

    from fairseq_amber.models.amber import AmberConfig, AmberModel

    torch.manual_seed(0)
    cfg = AmberConfig(encoder_layers=2, encoder_embed_dim=128, encoder_attention_heads=4)
    model = AmberModel.build_model(cfg, argparse.Namespace(source_dictionary=dictionary))
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name
        elif name.endswith("bias"):
            assert not parameter.any(), name
