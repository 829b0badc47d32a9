"""What tests of scores share."""

from checkpoint_fixtures import (  # noqa: F401
    checkpoint,
    corpus,
    data_folder,
    edited_checkpoint,
    encoder,
    fairseq_amber_command,
)
from fine_tuned_checkpoints import evaluate, fine_tuned, prepared  # noqa: F401
