"""The criterions of fairseq: a batch -> named terms -> one loss.

The mathematics is in ``objectives``.
"""

import sys

if "fairseq" in sys.modules:
    from fairseq_amber.criterions import (  # noqa: F401
        amber,
        contrastive_alignment,
        l2_alignment,
        ot_alignment,
        xtreme,
    )
