"""Edits of fairseq's configuration: dataclasses, hydra and omegaconf."""

from __future__ import annotations

from edit import Edit

EDITS = (
    Edit(
        name="hashable-configs",
        file="fairseq/dataclass/configs.py",
        anchor="    _name: Optional[str] = None\n",
        replacement="    _name: Optional[str] = None\n\n"
        "    def __init_subclass__(cls, **kwargs):\n"
        "        super().__init_subclass__(**kwargs)\n"
        "        # Python >= 3.11 refuses unhashable dataclass defaults\n"
        "        cls.__hash__ = object.__hash__\n",
        reason="Python >= 3.11 refuses unhashable dataclass defaults (`common: CommonConfig = "
        "CommonConfig()`, 14 times): `import fairseq` raises ValueError. An explicit `__hash__` in "
        "the base class keeps them as they are on 3.10, also in other people's plugins",
        issue="facebookresearch/fairseq#5012",
    ),
    Edit(
        name="hydra-pin",
        file="setup.py",
        anchor='"hydra-core>=1.0.7,<1.1"',
        replacement='"hydra-core>=1.3.2,<1.4"',
        reason="hydra 1.0 does not run on Python >= 3.11; 1.4 drops what fairseq needs",
        issue="facebookresearch/fairseq#5191",
    ),
    Edit(
        name="omegaconf-pin",
        file="setup.py",
        anchor='"omegaconf<2.1"',
        replacement='"omegaconf>=2.3,<2.4"',
        reason="pip >= 24.1 refuses the metadata of every omegaconf 2.0.x",
        issue="facebookresearch/fairseq#5511",
    ),
    Edit(
        name="hydra-compose-import",
        file="fairseq/dataclass/utils.py",
        anchor="from hydra.experimental import compose, initialize",
        replacement="from hydra import compose, initialize",
        reason="the experimental names are deprecated and warn at every start",
        issue="facebookresearch/fairseq#5359",
    ),
    Edit(
        name="hydra-initialize",
        file="fairseq/dataclass/utils.py",
        anchor="with initialize(config_path=config_path):",
        replacement='with initialize(config_path=config_path, version_base="1.1"):',
        reason="without a version base hydra >= 1.2 warns at every start; 1.1 is what fairseq's "
        "configuration files are written for",
        issue="facebookresearch/fairseq#5359",
    ),
    Edit(
        name="hydra-compose",
        file="fairseq/dataclass/utils.py",
        anchor=", strict=False)\n",
        replacement=")\n            OmegaConf.set_struct(composed_cfg, False)\n",
        reason="`compose(strict=False)` is deprecated; the same, said with omegaconf",
        issue="facebookresearch/fairseq#5359",
    ),
    Edit(
        name="hydra-warnings-import",
        file="fairseq/dataclass/utils.py",
        anchor="import re\n",
        replacement="import re\nimport warnings\n",
        reason="for hydra-warnings",
        issue="facebookresearch/fairseq#3722",
    ),
    Edit(
        name="hydra-warnings",
        file="fairseq/dataclass/utils.py",
        anchor="logger = logging.getLogger(__name__)\n",
        replacement="logger = logging.getLogger(__name__)\n\n"
        "# fairseq's configuration is written for hydra 1.0 and 1.1; hydra 1.3 reads it and warns\n"
        "warnings.filterwarnings("
        '"ignore", message=r"\\s*(version_base=|(In )?\'config\')", category=UserWarning)\n',
        reason="three warnings about fairseq's own configuration files at every start",
        issue="facebookresearch/fairseq#3722",
    ),
    Edit(
        name="hydra-train",
        file="fairseq_cli/hydra_train.py",
        anchor='config_name="config")\n',
        replacement='config_name="config", version_base="1.1")\n',
        reason="fairseq-hydra-train: the version base, as in hydra-initialize",
        issue="facebookresearch/fairseq#5359",
    ),
)
