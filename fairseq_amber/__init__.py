"""A fairseq plugin: explicit alignment objectives for multilingual encoders.

``fairseq-train --user-dir`` imports this package; that registers the models, tasks and criterions.
Imported without fairseq, the package registers nothing and imports nothing, so that
``fairseq_amber.objectives`` works wherever torch does. A program that needs the registered names
imports fairseq first. ``fairseq_amber.load(checkpoint_or_folder)`` returns an ``Encoder``.
"""

import importlib
import sys

__version__ = "0.2.0"
__all__ = ["Encoder", "load"]

if "fairseq" in sys.modules:
    from fairseq_amber.environment import patch_stock_fairseq, require_fairseq
    from fairseq_amber.errors import exit_clearly

    exit_clearly(require_fairseq)()
    patch_stock_fairseq()
    from fairseq_amber import criterions, models, tasks  # noqa: F401


def __getattr__(name: str):
    """Imports the public names when they are first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    encoder = importlib.import_module("fairseq_amber.inference.encoder").Encoder
    return encoder if name == "Encoder" else encoder.load
