"""Edits of how fairseq is built and what it requires."""

from __future__ import annotations

from edit import Edit

EDITS = (
    Edit(
        name="no-audio",
        file="setup.py",
        anchor='            "torchaudio>=0.8.0",\n',
        replacement="",
        reason="text models never import torchaudio, which must match torch's version exactly",
        issue="facebookresearch/fairseq#5462",
    ),
    Edit(
        name="no-build-tools",
        file="setup.py",
        anchor='            "cffi",\n            "cython",\n',
        replacement="",
        reason="needed to build, not to run",
        issue="facebookresearch/fairseq#3874",
    ),
    Edit(
        name="torch-bound",
        file="setup.py",
        anchor='            "torch",\n',
        replacement='            "torch>=1.13",\n',
        reason="`weights_only`, used by broadcast-object, is of torch 1.13",
        issue="facebookresearch/fairseq#5610",
    ),
    Edit(
        name="no-torch-extensions",
        file="setup.py",
        anchor="try:\n    # torch is not available when generating docs\n",
        until='if "READTHEDOCS" in os.environ:\n',
        replacement="",
        reason="where torch is visible to the build, setup.py compiles extensions that break with "
        "the next torch, one of them from a file that is not in the archive; text models need none",
        issue="facebookresearch/fairseq#4085",
    ),
    Edit(
        name="compiler-is-optional",
        file="setup.py",
        anchor="cmdclass = {}\n",
        replacement="for extension in extensions:\n"
        "    extension.optional = True\n\n"
        "cmdclass = {}\n",
        reason="without a C++ compiler or Python.h the plain-Python modules of stand_ins/ serve; "
        "only `fairseq-score` (libbleu) is missing then",
        issue="facebookresearch/fairseq#1935",
    ),
    Edit(
        name="version",
        file="fairseq/version.txt",
        anchor="0.12.2",
        replacement="0.12.2+amber1",
        reason="the local version tells this build from an unedited one",
        issue="facebookresearch/fairseq#5012",
    ),
)
