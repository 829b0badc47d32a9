"""Token ids -> batches: corpora, masking, rows, sampling. Knows no model."""
