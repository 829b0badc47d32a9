"""A fairseq plugin: explicit alignment objectives for multilingual encoders.

``fairseq-train --user-dir`` imports this package; that registers the models, tasks and criterions.
Imported without fairseq, the package registers nothing and costs nothing, so that
``fairseq_amber.objectives`` is usable wherever torch is. A script of your own that wants the
registered names imports fairseq first.
"""

import sys

__version__ = "0.1.0"

if "fairseq" in sys.modules:
    from fairseq_amber.environment import patch_stock_fairseq, require_fairseq
    from fairseq_amber.errors import exit_clearly

    exit_clearly(require_fairseq)()
    patch_stock_fairseq()
    from fairseq_amber import criterions, models, tasks  # noqa: F401
