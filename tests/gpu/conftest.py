"""The device of these tests: a GPU or, with AMBER_GPU_REHEARSAL=1, the CPU.

Such a rehearsal runs the same code on the same inputs, so that it works when there is a GPU. It
skips what only a GPU has: waiting for it, and compiled kernels.
"""

import contextlib
import os

import pytest
import torch


@pytest.fixture(scope="session")
def device() -> torch.device:
    """A GPU, or the CPU in a rehearsal."""
    if torch.cuda.is_available():
        # the environment may allow TF32, whose products have ten bits
        torch.backends.cuda.matmul.allow_tf32 = False
        return torch.device("cuda")
    if os.environ.get("AMBER_GPU_REHEARSAL") == "1":
        return torch.device("cpu")
    pytest.skip("needs a CUDA GPU")


@pytest.fixture
def never_waiting(device):
    """A context in which every operation that waits for the GPU raises an error."""

    @contextlib.contextmanager
    def check():
        if device.type != "cuda":
            yield
            return
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    return check
