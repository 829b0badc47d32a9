"""Turns token ids into batches. Nothing here knows a model.

``sampling`` decides which examples a micro-batch holds, ``plan`` holds the decisions of an epoch.
``alignment`` has the corpora of pre-training, ``finetuning`` the tasks with labels.
"""
