"""Edits of training: data-loading workers, how runs begin and end, CPUs and bfloat16."""

from __future__ import annotations

from edit import Edit

EDITS = (
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
        name="no-architecture",
        file="fairseq/options.py",
        anchor="            raise RuntimeError()\n",
        replacement='            parser.error("--arch is missing: name an architecture")\n',
        reason="a forgotten `--arch` ends in a traceback without words",
        issue="",
    ),
    Edit(
        name="seed-range",
        file="fairseq_cli/train.py",
        anchor="    np.random.seed(cfg.common.seed)\n",
        replacement="    if not 0 <= cfg.common.seed < 2**32:\n"
        '        sys.exit(f"--seed {cfg.common.seed}: give a number from 0 to {2**32 - 1}")\n'
        "    np.random.seed(cfg.common.seed)\n",
        reason="numpy answers a seed such as -1 with a traceback",
        issue="",
    ),
    Edit(
        name="interrupt",
        file="fairseq/distributed/utils.py",
        anchor="def call_main(cfg: FairseqConfig, main, **kwargs):\n",
        replacement="def call_main(cfg: FairseqConfig, main, **kwargs):\n"
        "    try:\n"
        "        _call_main(cfg, main, **kwargs)\n"
        "    except KeyboardInterrupt:\n"
        "        if not cfg.distributed_training.distributed_rank:\n"
        '            print("interrupted", file=sys.stderr)\n'
        "        sys.exit(130)\n\n\n"
        "def _call_main(cfg: FairseqConfig, main, **kwargs):\n",
        reason="Ctrl-C ends in a traceback of wherever training was",
        issue="",
    ),
    Edit(
        name="interrupt-import",
        file="fairseq/distributed/utils.py",
        anchor="import subprocess\n",
        replacement="import subprocess\nimport sys\n",
        reason="for interrupt",
        issue="",
    ),
    Edit(
        name="gloo-on-cpu",
        file="fairseq/distributed/utils.py",
        anchor="                backend=cfg.distributed_training.distributed_backend,\n",
        replacement='                backend="gloo"\n'
        "                if cfg.common.cpu\n"
        "                else cfg.distributed_training.distributed_backend,\n",
        reason="`--cpu` on several processes asks for NCCL, which needs GPUs, unless "
        "`--distributed-backend gloo` is given",
        issue="facebookresearch/fairseq#2879",
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
)
