"""Computing a batch in part equals the whole computation, in values and gradients."""

import pytest
import torch

from fairseq_amber.models import attention as attention_module


def weighted(tensors):
    """A scalar to which every element contributes with another weight."""
    return sum((t * torch.arange(1.0, t.numel() + 1).view_as(t).sin()).sum() for t in tensors)


def in_part(model, batch, **layers):
    scores, extra = model(**batch, **layers)
    assert extra["features"] is None
    attention, states = extra["cross_attention"], extra["sentence_states"]
    if states is not None:
        assert states.isfinite().all()
        inside = torch.arange(states.size(1)) < batch["prefix_lengths"][-len(states) :, None]
        states = states[inside]
    return [t for t in (scores, states, attention) if t is not None]


def in_full(model, batch, attention_layer=3, sentence_layer=3):
    """Computes every state of every layer, then picks what is wanted, row by row."""
    rows = {k: v for k, v in batch.items() if k not in ("predicted", "cross", "sentence_width")}
    _, extra = model(**rows, return_all_hiddens=True, features_only=True)
    positions, slots = batch["predicted"]
    picked = [
        extra["layers"][-1][s // positions.size(1), positions.flatten()[s]] for s in slots.tolist()
    ]
    states = torch.stack(picked) if picked else extra["layers"][-1][0, :0]
    out = [model.encoder.lm_head(states)]
    if "cross" not in batch:
        return out
    queries, keys = batch["cross"]
    first = len(batch["src_tokens"]) - len(queries)
    prefixes = batch["prefix_lengths"][first:].tolist()
    if sentence_layer is not None:
        states = extra["layers"][sentence_layer]
        out.append(torch.cat([states[first + i, :p] for i, p in enumerate(prefixes)]))
    if attention_layer is None:
        return out
    attention = model.encoder.sentence_encoder.layers[attention_layer - 1].self_attn
    maps = []
    for i, prefix in enumerate(prefixes):
        x = extra["layers"][attention_layer - 1][first + i]
        real = batch["src_tokens"][first + i] != 1
        q = attention.q_proj(x).view(len(x), 4, -1)
        k = attention.k_proj(x).view(len(x), 4, -1)
        logits = torch.einsum("qhd,khd->hqk", q, k) / q.size(-1) ** 0.5
        index = torch.arange(len(x))
        before = (index < index[:, None]) & (index[:, None] >= prefix)
        visible = ((index < prefix) | before) & real
        weights = logits.masked_fill(~visible, float("-inf")).softmax(-1)
        maps.append(weights[:, queries[i]][:, :, keys[i]])
    out.append(torch.stack(maps))
    return out


CASES = [
    (dict(), dict()),
    (dict(tlm=False), dict()),
    (dict(alignment=False), dict()),
    (dict(pairs=False), dict()),
    (dict(), dict(attention_layer=1)),
    (dict(), dict(sentence_layer=1)),
    (dict(), dict(sentence_layer=None)),
    (dict(), dict(attention_layer=None)),
    (dict(), dict(attention_layer=None, sentence_layer=None)),
    (dict(), dict(attention_layer=1, sentence_layer=2)),
    (dict(), dict(attention_layer=2, sentence_layer=1)),
    (dict(), dict(attention_layer=2, sentence_layer=2)),
    (dict(tlm=False), dict(sentence_layer=None)),
    (dict(tlm=False), dict(attention_layer=1, sentence_layer=1)),
]


@pytest.mark.parametrize("needs, layers", CASES)
@pytest.mark.parametrize("checkpoint", [False, True])
def test_in_part_equals_in_full(make_model, make_batch, needs, layers, checkpoint):
    batch = make_batch(**needs)
    results = []
    for run, checkpointed in ((in_part, checkpoint), (in_full, False)):
        model = make_model(encoder_layers=3, checkpoint_activations=checkpointed).double()
        out = run(model, batch, **layers)
        weighted(out).backward()
        # a parameter that only empty tensors have reached has gradient zero or none
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
        results.append((out, gradients))
    (ours, our_gradients), (twins, twin_gradients) = results
    assert len(ours) == len(twins)
    for a, b in zip(ours, twins):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)
    for a, b in zip(our_gradients, twin_gradients):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


def test_checkpointed_layers_draw_the_same_dropout(make_model, make_batch):
    batch = make_batch()
    gradients = []
    for checkpoint in (False, True):
        model = make_model(
            checkpoint_activations=checkpoint, dropout=0.2, attention_dropout=0.2
        ).train()
        torch.manual_seed(5)
        weighted(in_part(model, batch)).backward()
        gradients.append([p.grad for p in model.parameters()])
    for a, b in zip(*gradients):
        torch.testing.assert_close(a, b)


def rows_seen_by_each_layer(model, batch, **arguments):
    seen = [0] * len(model.encoder.sentence_encoder.layers)

    def count(number, inputs):
        seen[number] += len(inputs[0])

    for number, layer in enumerate(model.encoder.sentence_encoder.layers):
        layer.register_forward_pre_hook(lambda _, inputs, number=number: count(number, inputs))
    model(**batch, **arguments)
    return seen


def test_no_row_is_computed_above_what_is_read_of_it(make_model, make_batch):
    batch = make_batch()  # 5 rows with predicted tokens and 10 alignment rows
    for layers, expected in (
        (dict(), [15, 15, 15]),
        (dict(attention_layer=2, sentence_layer=2), [15, 15, 5]),
        (dict(attention_layer=2, sentence_layer=1), [15, 5, 5]),
        (dict(attention_layer=None, sentence_layer=1), [15, 5, 5]),
        (dict(attention_layer=None, sentence_layer=None), [5, 5, 5]),
        (dict(features_only=True, attention_layer=2, sentence_layer=2), [15, 15, 0]),
    ):
        assert rows_seen_by_each_layer(make_model(encoder_layers=3), batch, **layers) == expected


def test_features_of_a_lower_layer(make_model, make_batch):
    model, batch = make_model().eval(), make_batch(pairs=False)
    _, extra = model(batch["src_tokens"], return_all_hiddens=True)
    for layer in (1, 2):
        states, _ = model(batch["src_tokens"], features_only=True, sentence_layer=layer)
        torch.testing.assert_close(states, extra["layers"][layer])


def test_scores_are_the_last_layers_whatever_sentence_layer_says(make_model, make_batch):
    model, batch = make_model().eval(), make_batch(alignment=False)
    chosen = batch["src_tokens"] == 4
    for name, value in (("predicted", batch.pop("predicted")), ("masked_tokens", chosen)):
        with_layer, _ = model(**batch, **{name: value}, sentence_layer=1)
        torch.testing.assert_close(with_layer, model(**batch, **{name: value})[0])


def test_all_states_on_demand_change_no_score(make_model, make_batch):
    model, batch = make_model().eval(), make_batch()
    scores, extra = model(**batch)
    same, all_extra = model(**batch, return_all_hiddens=True)
    torch.testing.assert_close(same, scores, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(all_extra["cross_attention"], extra["cross_attention"])
    assert len(all_extra["layers"]) == 3


def test_attention_above_the_last_layer_to_compute(make_model, make_batch):
    with pytest.raises(ValueError, match="attention_layer 2 is above 1, the last to run"):
        make_model()(**make_batch(), features_only=True, sentence_layer=1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("fused", [True, False])
def test_half_precision(make_model, make_batch, monkeypatch, dtype, fused):
    if fused and not attention_module._HAS_FUSED_ATTENTION:
        pytest.skip("this torch has no scaled_dot_product_attention")
    monkeypatch.setattr(attention_module, "_HAS_FUSED_ATTENTION", fused)
    batch = make_batch()
    exact = in_part(make_model(), batch)
    model = make_model().to(dtype)
    half = in_part(model, batch)
    assert half[2].dtype is torch.float32
    for a, b in zip(half, exact):
        torch.testing.assert_close(a.float(), b, atol=0.15, rtol=0.1)
    weighted([t.float() for t in half]).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_a_token_may_attend_to_itself_where_wanted(make_model, make_batch):
    model, batch = make_model().eval(), make_batch(tlm=False)
    maps = [model(**batch, include_diagonal=flag)[1]["cross_attention"] for flag in (False, True)]
    mass = [m[:, :, 0].sum() for m in maps]  # a second key for the first token: its own
    assert mass[1] < mass[0]
