"""``fairseq-amber embed``: turns a file of sentences into a file of vectors."""
