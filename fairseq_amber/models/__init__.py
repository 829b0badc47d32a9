"""The encoder, its attention masks, its heads, and the architectures fairseq registers."""

import sys

if "fairseq" in sys.modules:
    from fairseq_amber.models import amber, architectures  # noqa: F401
