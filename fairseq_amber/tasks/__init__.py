"""fairseq's tasks, which turn a data folder into datasets and batches."""

import sys

if "fairseq" in sys.modules:
    from fairseq_amber.tasks import cross_lingual_alignment, wordpiece_bpe, xtreme  # noqa: F401
    from fairseq_amber.tasks.checkpoint_saving import guard_saving
    from fairseq_amber.tasks.checkpoint_start import guard_start
    from fairseq_amber.tasks.divergence import guard_divergence
    from fairseq_amber.tasks.model_loading import guard_loading

    guard_saving()
    guard_start()
    guard_loading()
    guard_divergence()
