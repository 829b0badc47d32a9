"""Pre-training with alignment objectives: the sentences and pairs of many corpora.

``masking`` masks tokens for MLM and TLM, ``points`` and ``linked_words`` find what the alignment
terms compare, and ``collater`` makes the batches.
"""
