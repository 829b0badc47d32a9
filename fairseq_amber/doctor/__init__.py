"""``fairseq-amber doctor``: tells which packages are installed, and whether they work together."""
