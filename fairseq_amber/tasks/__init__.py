"""fairseq glue: a data folder -> datasets."""

import sys

if "fairseq" in sys.modules:
    from fairseq_amber.tasks import cross_lingual_alignment, wordpiece_bpe, xtreme  # noqa: F401
