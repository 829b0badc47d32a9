"""Pretrained weights and vocabularies in, ours out, for fairseq and for Hugging Face."""
