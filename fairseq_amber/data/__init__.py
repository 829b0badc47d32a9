"""Turns token ids into batches: corpora, masking, rows, sampling. Nothing here knows a model."""
