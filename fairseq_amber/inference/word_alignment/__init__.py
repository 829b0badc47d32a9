"""``fairseq-amber align``: links the words of sentence pairs that translate each other."""
