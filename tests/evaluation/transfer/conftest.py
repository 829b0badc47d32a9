"""Prepared tasks and fine-tuned checkpoints."""

from fine_tuned_checkpoints import evaluate, fine_tuned, prepared  # noqa: F401
