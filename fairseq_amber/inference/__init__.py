"""Applies a checkpoint: computes sentence vectors, word links, mined pairs and predictions."""
