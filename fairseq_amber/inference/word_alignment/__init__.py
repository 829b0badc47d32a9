"""``fairseq-amber align``: word links of sentence pairs."""
