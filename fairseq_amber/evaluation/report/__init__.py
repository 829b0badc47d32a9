"""``fairseq-amber report``: tables, significance tests, curves and pictures of many results."""
