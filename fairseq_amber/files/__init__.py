"""The readers and writers of files: text, JSON, torch files without code, results, pictures.

Each kind of file has one reader and one writer. ``writing`` makes a file or a folder appear whole
or not at all.
"""
