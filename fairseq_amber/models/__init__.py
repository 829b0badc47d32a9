"""The encoder, its attention masks, its heads, and the registered architectures."""

import sys

if "fairseq" in sys.modules:
    from fairseq_amber.models import amber, architectures, bert_adam  # noqa: F401
