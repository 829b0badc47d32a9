"""``fairseq-amber doctor``: which programs are installed here, and whether they work together."""
