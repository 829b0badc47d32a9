"""Raw text to data folders."""
