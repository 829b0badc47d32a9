"""What is changed in the official fairseq 0.12.2, and why.

Each edit replaces one short anchor that occurs exactly once in one file. Run this file to print
the table of README.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class EditError(Exception):
    """An edit does not fit the source tree it is applied to."""


@dataclass(frozen=True)
class Edit:
    """Replaces ``anchor`` in ``file`` (or all text from ``anchor`` up to ``until``, exclusive).
    ``issue`` is empty where nobody has reported it."""

    name: str
    file: str
    anchor: str
    replacement: str
    reason: str
    issue: str
    until: str = ""

    def applied_to(self, text: str) -> str:
        """Returns the edited text; raises EditError unless the anchor occurs exactly once."""
        if text.count(self.anchor) != 1:
            raise EditError(
                f"edit {self.name}: {self.file}: {self.anchor!r} must occur once, "
                f"occurs {text.count(self.anchor)} times"
            )
        start = text.index(self.anchor)
        end = start + len(self.anchor)
        if self.until:
            if self.until not in text[end:]:
                raise EditError(
                    f"edit {self.name}: {self.file}: {self.until!r} does not follow the anchor"
                )
            end = text.index(self.until, end)
        return text[:start] + self.replacement + text[end:]


EDITS = (
    Edit(
        name="hashable-configs",
        file="fairseq/dataclass/configs.py",
        anchor="    _name: Optional[str] = None\n",
        replacement="    _name: Optional[str] = None\n\n"
        "    def __init_subclass__(cls, **kwargs):\n"
        "        super().__init_subclass__(**kwargs)\n"
        "        # Python >= 3.11 refuses unhashable dataclass defaults\n"
        "        cls.__hash__ = object.__hash__\n",
        reason="Python >= 3.11 refuses unhashable dataclass defaults (`common: CommonConfig = "
        "CommonConfig()`, 14 times): `import fairseq` raises ValueError. An explicit `__hash__` in "
        "the base class keeps them as they are on 3.10, also in other people's plugins",
        issue="facebookresearch/fairseq#5012",
    ),
    Edit(
        name="hydra-pin",
        file="setup.py",
        anchor='"hydra-core>=1.0.7,<1.1"',
        replacement='"hydra-core>=1.3.2,<1.4"',
        reason="hydra 1.0 does not run on Python >= 3.11; 1.4 drops what fairseq needs",
        issue="facebookresearch/fairseq#5191",
    ),
    Edit(
        name="omegaconf-pin",
        file="setup.py",
        anchor='"omegaconf<2.1"',
        replacement='"omegaconf>=2.3,<2.4"',
        reason="pip >= 24.1 refuses the metadata of every omegaconf 2.0.x",
        issue="facebookresearch/fairseq#5511",
    ),
    Edit(
        name="hydra-compose-import",
        file="fairseq/dataclass/utils.py",
        anchor="from hydra.experimental import compose, initialize",
        replacement="from hydra import compose, initialize",
        reason="the experimental names are deprecated and warn at every start",
        issue="facebookresearch/fairseq#5359",
    ),
    Edit(
        name="hydra-initialize",
        file="fairseq/dataclass/utils.py",
        anchor="with initialize(config_path=config_path):",
        replacement='with initialize(config_path=config_path, version_base="1.1"):',
        reason="without a version base hydra >= 1.2 warns at every start; 1.1 is what fairseq's "
        "configuration files are written for",
        issue="facebookresearch/fairseq#5359",
    ),
    Edit(
        name="hydra-compose",
        file="fairseq/dataclass/utils.py",
        anchor=", strict=False)\n",
        replacement=")\n            OmegaConf.set_struct(composed_cfg, False)\n",
        reason="`compose(strict=False)` is deprecated; the same, said with omegaconf",
        issue="facebookresearch/fairseq#5359",
    ),
    Edit(
        name="hydra-warnings-import",
        file="fairseq/dataclass/utils.py",
        anchor="import re\n",
        replacement="import re\nimport warnings\n",
        reason="for hydra-warnings",
        issue="facebookresearch/fairseq#3722",
    ),
    Edit(
        name="hydra-warnings",
        file="fairseq/dataclass/utils.py",
        anchor="logger = logging.getLogger(__name__)\n",
        replacement="logger = logging.getLogger(__name__)\n\n"
        "# fairseq's configuration is written for hydra 1.0 and 1.1; hydra 1.3 reads it and warns\n"
        "warnings.filterwarnings("
        '"ignore", message=r"\\s*(version_base=|(In )?\'config\')", category=UserWarning)\n',
        reason="three warnings about fairseq's own configuration files at every start",
        issue="facebookresearch/fairseq#3722",
    ),
    Edit(
        name="hydra-train",
        file="fairseq_cli/hydra_train.py",
        anchor='config_name="config")\n',
        replacement='config_name="config", version_base="1.1")\n',
        reason="fairseq-hydra-train: the version base, as in hydra-initialize",
        issue="facebookresearch/fairseq#5359",
    ),
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
    Edit(
        name="worker-folder-imports",
        file="fairseq/data/iterators.py",
        anchor="import itertools\n",
        replacement="import functools\nimport itertools\nimport multiprocessing.util\n"
        "import subprocess\nimport sys\n",
        reason="for worker-folder",
        issue="pytorch/pytorch#143471",
    ),
    Edit(
        name="worker-folder",
        file="fairseq/data/iterators.py",
        anchor="_sentinel = object()\n",
        replacement="_sentinel = object()\n\n\n"
        "@functools.lru_cache(maxsize=None)\n"
        "def share_worker_folder():\n"
        "    # For the sockets of data-loading workers, which die by a signal before they can\n"
        "    # remove a folder of their own. This process removes it at its end. Where it was\n"
        "    # killed, the one started here does: its input ends when all that inherit it are\n"
        "    # gone, and a signal to the group of this run does not reach it.\n"
        "    watch = (\n"
        '        "import os, shutil, signal, sys; "\n'
        '        "signal.signal(signal.SIGTERM, signal.SIG_IGN); "\n'
        '        "os.read(0, 1); "\n'
        '        "shutil.rmtree(sys.argv[1], ignore_errors=True)"\n'
        "    )\n"
        "    return subprocess.Popen(\n"
        '        [sys.executable, "-I", "-S", "-c", watch, multiprocessing.util.get_temp_dir()],\n'
        "        stdin=subprocess.PIPE,\n"
        "        stdout=subprocess.DEVNULL,\n"
        "        stderr=subprocess.DEVNULL,\n"
        '        cwd="/",\n'
        "        start_new_session=True,\n"
        "    )\n",
        reason="every data-loading worker leaves a folder `pymp-*` in the temporary folder, after "
        "every run: the process that starts them makes one for all; it is removed however they end",
        issue="pytorch/pytorch#143471",
    ),
    Edit(
        name="worker-folder-call",
        file="fairseq/data/iterators.py",
        anchor="            if self.num_workers > 0:\n                os.environ",
        replacement="            if self.num_workers > 0:\n"
        "                share_worker_folder()\n"
        "                os.environ",
        reason="for worker-folder: the iterator of all tasks but those on speech",
        issue="pytorch/pytorch#143471",
    ),
    Edit(
        name="finished-run",
        file="fairseq_cli/train.py",
        anchor="        # train for one epoch\n",
        replacement="        max_update = cfg.optimization.max_update or math.inf\n"
        "        if trainer.get_num_updates() >= max_update:\n"
        '            logger.info("the checkpoint is at --max-update: nothing is left to train")\n'
        "            break\n\n"
        "        # train for one epoch\n",
        reason="a finished run that is started again trains one update more",
        issue="",
    ),
    Edit(
        name="ddp-on-cpu",
        file="fairseq/models/distributed_fairseq_model.py",
        anchor="            device_ids=[args.device_id],\n"
        "            output_device=args.device_id,\n",
        replacement='            device_ids=[args.device_id] if device.type == "cuda" else None,\n'
        '            output_device=args.device_id if device.type == "cuda" else None,\n',
        reason="`--cpu --ddp-backend c10d` on several processes: torch's DDP takes device ids for "
        "GPUs only",
        issue="facebookresearch/fairseq#2879",
    ),
    Edit(
        name="gather-on-cpu",
        file="fairseq/distributed/utils.py",
        anchor="        all_gather_list._buffer = torch.cuda.ByteTensor(buffer_size)\n"
        "        all_gather_list._cpu_buffer = torch.ByteTensor(max_size).pin_memory()\n",
        replacement='        cuda = dist.get_backend(group) == "nccl"\n'
        "        all_gather_list._buffer = torch.empty(\n"
        '            buffer_size, dtype=torch.uint8, device="cuda" if cuda else "cpu"\n'
        "        )\n"
        "        all_gather_list._cpu_buffer = torch.empty(\n"
        "            max_size, dtype=torch.uint8, pin_memory=cuda\n"
        "        )\n",
        reason="`--cpu` on several processes: criterions whose logging outputs cannot be summed "
        "gather them through a CUDA buffer",
        issue="facebookresearch/fairseq#2879",
    ),
    Edit(
        name="bf16-is-not-tpu",
        file="fairseq/options.py",
        anchor="    if args.bf16:\n",
        replacement='    if args.bf16 and not getattr(args, "cpu", False) '
        "and not torch.cuda.is_available():\n",
        reason="`--bf16` means TPU to fairseq-train, which then dies on GPUs and CPUs",
        issue="facebookresearch/fairseq#4696",
    ),
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
    Edit(
        name="no-audio",
        file="setup.py",
        anchor='            "torchaudio>=0.8.0",\n',
        replacement="",
        reason="text models never import torchaudio, which must match torch's version exactly",
        issue="facebookresearch/fairseq#5462",
    ),
    Edit(
        name="no-build-tools",
        file="setup.py",
        anchor='            "cffi",\n            "cython",\n',
        replacement="",
        reason="needed to build, not to run",
        issue="facebookresearch/fairseq#3874",
    ),
    Edit(
        name="torch-bound",
        file="setup.py",
        anchor='            "torch",\n',
        replacement='            "torch>=1.13",\n',
        reason="`weights_only`, used by broadcast-object, is of torch 1.13",
        issue="facebookresearch/fairseq#5610",
    ),
    Edit(
        name="no-torch-extensions",
        file="setup.py",
        anchor="try:\n    # torch is not available when generating docs\n",
        until='if "READTHEDOCS" in os.environ:\n',
        replacement="",
        reason="where torch is visible to the build, setup.py compiles extensions that break with "
        "the next torch, one of them from a file that is not in the archive; text models need none",
        issue="facebookresearch/fairseq#4085",
    ),
    Edit(
        name="compiler-is-optional",
        file="setup.py",
        anchor="cmdclass = {}\n",
        replacement="for extension in extensions:\n"
        "    extension.optional = True\n\n"
        "cmdclass = {}\n",
        reason="without a C++ compiler or Python.h the plain-Python modules of stand_ins/ serve; "
        "only `fairseq-score` (libbleu) is missing then",
        issue="facebookresearch/fairseq#1935",
    ),
    Edit(
        name="version",
        file="fairseq/version.txt",
        anchor="0.12.2",
        replacement="0.12.2+amber1",
        reason="the local version tells this build from an unedited one",
        issue="facebookresearch/fairseq#5012",
    ),
)


def apply(source: Path) -> None:
    """Edits the unpacked fairseq 0.12.2 in ``source``, or changes nothing and raises EditError."""
    texts: dict[Path, str] = {}
    for edit in EDITS:
        path = source / edit.file
        if path not in texts:
            if not path.is_file():
                raise EditError(f"edit {edit.name}: no file {edit.file}")
            texts[path] = path.read_text(encoding="utf-8")
        texts[path] = edit.applied_to(texts[path])
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


def table() -> str:
    """The edits as a Markdown table."""
    rows = ["| edit | file | why | upstream |", "|---|---|---|---|"]
    for edit in EDITS:
        repository, _, number = edit.issue.partition("#")
        link = f"[#{number}](https://github.com/{repository}/issues/{number})" if number else ""
        rows.append(f"| {edit.name} | `{edit.file}` | {edit.reason} | {link} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
