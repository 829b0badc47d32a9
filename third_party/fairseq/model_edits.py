"""Edits of the transformer encoder: its unused parameters and its fused layer."""

from __future__ import annotations

from edit import Edit

EDITS = (
    Edit(
        name="encoder-layer-parameters",
        file="fairseq/modules/transformer_layer.py",
        anchor="        self.num_heads = cfg.encoder.attention_heads\n",
        until="    def build_fc1(",
        replacement="",
        reason="0.12.2 gives each encoder layer 8 parameters that are never trained (27 % of a "
        "checkpoint). Removed, as in 0.12.1",
        issue="facebookresearch/fairseq#4782",
    ),
    Edit(
        name="encoder-layer-fast-path",
        file="fairseq/modules/transformer_layer.py",
        anchor="        if self.training:\n            self.ever_training = True\n",
        until="            if attn_mask is not None:\n",
        replacement="        if True:  # keeps the indentation of what follows\n",
        reason="the fused layer that used them raises `Mask Type should be defined` at evaluation",
        issue="facebookresearch/fairseq#4899",
    ),
    Edit(
        name="encoder-fast-path",
        file="fairseq/models/transformer/transformer_encoder.py",
        anchor="        # nested tensor and BT enable\n",
        until="        # encoder layers\n",
        replacement="        NT_flag = BT_flag = False\n\n",
        reason="the encoder's side of encoder-layer-fast-path",
        issue="facebookresearch/fairseq#4858",
    ),
    Edit(
        name="stock-checkpoints",
        file="fairseq/modules/transformer_layer.py",
        anchor='        layer_norm_map = {"0": "self_attn_layer_norm", "1": "final_layer_norm"}\n',
        replacement="        # an unedited 0.12.2 writes eight unused parameters per layer\n"
        '        for module in ("in_proj", "out_proj", "fc1", "fc2"):\n'
        '            state_dict.pop(f"{name}.{module}_weight", None)\n'
        '            state_dict.pop(f"{name}.{module}_bias", None)\n'
        '        layer_norm_map = {"0": "self_attn_layer_norm", "1": "final_layer_norm"}\n',
        reason="checkpoints written by an unedited 0.12.2 load (weights; the state of the "
        "optimiser has other parameters: `--reset-optimizer`)",
        issue="facebookresearch/fairseq#4782",
    ),
)
