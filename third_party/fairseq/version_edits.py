"""Edits of newer versions of torch and numpy: reading checkpoints, and names that are gone."""

from __future__ import annotations

from edit import Edit

EDITS = (
    Edit(
        name="safe-namespace-import",
        file="fairseq/checkpoint_utils.py",
        anchor="import ast\n",
        replacement="import argparse\nimport ast\n",
        reason="for safe-namespace",
        issue="facebookresearch/fairseq#5610",
    ),
    Edit(
        name="safe-namespace",
        file="fairseq/checkpoint_utils.py",
        anchor="logger = logging.getLogger(__name__)\n",
        replacement="logger = logging.getLogger(__name__)\n\n"
        'if hasattr(torch.serialization, "add_safe_globals"):\n'
        "    # models with legacy arguments store their command line in the checkpoint\n"
        "    torch.serialization.add_safe_globals([argparse.Namespace])\n",
        reason="torch >= 2.6 loads with `weights_only=True`, which refuses the "
        "`argparse.Namespace` in checkpoints of roberta, transformer and the like. Allowing this "
        "one class keeps the protection on, unlike upstream's `weights_only=False`",
        issue="facebookresearch/fairseq#5610",
    ),
    Edit(
        name="broadcast-object",
        file="fairseq/distributed/utils.py",
        anchor='obj = torch.load(buffer, map_location="cpu")',
        replacement='obj = torch.load(buffer, map_location="cpu", weights_only=False)',
        reason="torch >= 2.6: resuming on several processes fails on ranks > 0. The bytes come "
        "from rank 0 of the same job, not from a file",
        issue="facebookresearch/fairseq#5610",
    ),
    Edit(
        name="numpy-float",
        file="fairseq/modules/dynamic_crf_layer.py",
        anchor='np.float("inf")',
        replacement='float("inf")',
        reason="numpy >= 1.24 has no `np.float`",
        issue="facebookresearch/fairseq#4945",
    ),
    Edit(
        name="numpy-int",
        file="fairseq/data/data_utils.py",
        anchor=" np.int,\n",
        replacement=" int,\n",
        reason="numpy >= 1.24 has no `np.int`",
        issue="facebookresearch/fairseq#4945",
    ),
    Edit(
        name="numpy-compat-blocks",
        file="fairseq/data/token_block_dataset.py",
        anchor="np.compat.long",
        replacement="np.int64",
        reason="numpy >= 2 has no `np.compat`: `--sample-break-mode eos` (one sentence a sample, "
        "as `roberta` and `masked_lm` use it) raises AttributeError",
        issue="facebookresearch/fairseq#4945",
    ),
    Edit(
        name="numpy-compat-pairs",
        file="fairseq/data/language_pair_dataset.py",
        anchor="np.compat.long",
        replacement="np.int64",
        reason="numpy >= 2 has no `np.compat`: bucketed translation batches raise AttributeError",
        issue="facebookresearch/fairseq#4945",
    ),
    Edit(
        name="numpy-percentile",
        file="fairseq/data/data_utils.py",
        anchor='interpolation="lower"',
        replacement='method="lower"',
        reason="numpy >= 2.4 has no `interpolation` of `np.percentile`: `--num-batch-buckets` "
        "raises TypeError",
        issue="facebookresearch/fairseq#4945",
    ),
)
