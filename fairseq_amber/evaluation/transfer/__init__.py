"""``fairseq-amber evaluate``: scores of a fine-tuned checkpoint in every language of a task."""
