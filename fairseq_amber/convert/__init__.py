"""Converts models of fairseq and Hugging Face to checkpoints of this package and back."""
