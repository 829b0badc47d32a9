"""Prompts of sentence-transformers: the texts that it puts in front of sentences, by name."""

from __future__ import annotations

from typing import Any

from fairseq_amber.files.json_file import encode_json, parse_json
from fairseq_amber.tokenizers.prefix import quoted

PROMPTS_NAME = "config_sentence_transformers.json"
# ``encode_query`` and ``encode_document`` take the prompts of these names, not the default one.
_BOTH_SIDES = ("query", "document")


def prompt_notes(settings: dict[str, Any], *, pooled: bool) -> list[str]:
    """Returns what the user should know of a model's prompts: what embed does not do by itself.

    Args:
        settings: the content of ``config_sentence_transformers.json``.
        pooled: whether sentence-transformers pools the states of a prompt, too.
    """
    prompts = _prompts(settings)
    texts = [text for text in prompts.values() if text.strip()]
    if not texts:
        return []
    text = prompts.get(str(settings.get("default_prompt_name"))) or texts[0]
    note = (
        f"left out: sentence-transformers has prompts for this model ({ascii(prompts)}); give "
        f"embed, retrieve and mine the one that fits, such as --prefix {quoted(text)}"
    )
    if not pooled:
        note += ", whose states they pool, where sentence-transformers leaves them out"
    return [note]


def with_default_prompt(modules: dict[str, bytes], prefix: str) -> dict[str, bytes]:
    """Makes a prefix the default prompt, which ``encode`` of sentence-transformers then adds.

    If the model has a prompt with this text, the other prompts keep their meaning; else
    ``encode_query`` and ``encode_document`` add the prefix, too.

    Args:
        modules: the files of the modules by name; see ``SentenceModules``.
        prefix: text in front of each sentence.

    Returns:
        The files with the prompt.
    """
    settings = parse_json(modules.get(PROMPTS_NAME, b"{}"), f"{PROMPTS_NAME} is damaged")
    prompts = _prompts(settings)
    name = next((name for name, text in prompts.items() if text == prefix), None)
    if name is None:
        name = _BOTH_SIDES[0]
        prompts.update(dict.fromkeys(_BOTH_SIDES, prefix))
    settings = {**settings, "prompts": prompts, "default_prompt_name": name}
    return {**modules, PROMPTS_NAME: encode_json(settings)}


def _prompts(settings: dict[str, Any]) -> dict[str, str]:
    """Returns the prompts that are texts: a name may stand without one."""
    prompts = settings.get("prompts")
    named = prompts.items() if isinstance(prompts, dict) else ()
    return {name: text for name, text in named if isinstance(text, str)}
