"""``fairseq-amber prepare``: turns raw sentences and pairs into a binarised folder."""
