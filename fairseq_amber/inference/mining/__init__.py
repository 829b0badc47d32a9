"""``fairseq-amber mine``: sentence pairs that translate each other, found in two texts."""
