"""Measures what training did: retrieval, word alignment, and the report that compares systems."""
