"""Cuts text into pieces with offsets, by SentencePiece or WordPiece; fairseq's dictionaries."""
