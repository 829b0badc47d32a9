"""German: its grammar, and its words as tables."""
