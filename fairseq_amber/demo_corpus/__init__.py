"""A small synthetic multi-parallel corpus with gold word alignments.

Data flow: ``sampler`` draws a meaning (see ``meaning`` and ``concepts``); each package of
``languages`` writes it as tokens that know which units of meaning they express (see ``tokens``);
``corpus`` draws the splits, and ``writer`` writes the files.
"""
