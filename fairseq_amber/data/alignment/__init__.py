"""Sentences and pairs of many corpora: their masking, points, word links and batches."""
