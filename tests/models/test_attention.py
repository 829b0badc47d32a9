"""The cross block of attention against its equation, and attention without torch's fused kernel."""

import numpy as np
import pytest
import torch

from fairseq_amber.data.layout import Specials, alignment_rows, pad_rows
from fairseq_amber.models import attention as attention_module

SPECIALS = Specials(bos=0, eos=2, pad=1)


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
        entering = extra["layers"][-2][row].double()
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
