"""What tests of the world's files share."""

from checkpoint_fixtures import (  # noqa: F401
    checkpoint,
    corpus,
    data_folder,
    edited_checkpoint,
    encoder,
    fairseq_amber_command,
)
from damage_scenes import damage_scenes  # noqa: F401
from toy_corpora import data_folder as toy_data  # noqa: F401
