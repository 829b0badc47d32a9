"""``fairseq-amber embed``: a file of sentences to a file of vectors."""
