"""fairseq glue: a batch -> named terms -> one loss. The mathematics is in ``objectives``."""

import sys

if "fairseq" in sys.modules:
    from fairseq_amber.criterions import amber, contrastive_alignment  # noqa: F401
