"""Sentences and pairs of many corpora: masking, points, links, and batches of them."""
