"""``fairseq-amber prepare-task``: the raw files of one of XTREME's tasks to a task folder."""
