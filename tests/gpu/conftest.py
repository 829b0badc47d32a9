"""Where these tests run: on a GPU; in a rehearsal, which AMBER_GPU_REHEARSAL=1 asks for, on a CPU.

A rehearsal runs the same code on the same inputs, so that it works the day there is a GPU. What is
of a GPU alone, waiting for it and compiled kernels, it passes by.
"""

import contextlib
import os

import pytest
import torch


@pytest.fixture(scope="session")
def device() -> torch.device:
    """A GPU, or the CPU in a rehearsal."""
    if torch.cuda.is_available():
        # a container's setting may allow TF32, whose products have ten bits
        torch.backends.cuda.matmul.allow_tf32 = False
        return torch.device("cuda")
    if os.environ.get("AMBER_GPU_REHEARSAL") == "1":
        return torch.device("cpu")
    pytest.skip("needs a CUDA GPU")


@pytest.fixture
def never_waiting(device):
    """A context in which any operation that waits for the GPU raises."""

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
