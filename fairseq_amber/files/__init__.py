"""The one reader and the one writer of each kind of file: text, JSON, torch files without code,
results, tables, pictures. ``writing`` makes a file or a folder appear whole or not at all."""
