"""``fairseq-amber prepare``: raw sentences and pairs to a binarised folder."""
