"""Evaluates checkpoints: computes scores on test sets, and reports that compare them."""
