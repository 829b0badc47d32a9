"""The flags of masking and of a pair's layout, from the task's settings to its batches."""

import pytest


def first_batch(task):
    task.load_dataset("train")
    iterator = task.get_batch_iterator(task.datasets["train"], max_tokens=600)
    batches = iterator.next_epoch_itr(shuffle=False)
    return next(batch for batch in batches if batch["parallel"])


def test_positions_and_segments(make_task):
    default = first_batch(make_task())["net_input"]
    assert "positions" not in default and default["segments"].max() == 1
    other = first_batch(make_task(pair_positions="reset", pair_segments="none"))["net_input"]
    assert "segments" not in other
    assert (other["positions"] < default["src_tokens"].size(1)).all()
    starts = (other["positions"] == 0).sum(dim=1)
    assert (starts == 2).all()


def test_whole_words(make_task, folder):
    """Every second symbol continues a word."""
    lines = [f"{'##' if word % 2 else ''}w{word} 1\n" for word in range(40)]
    (folder / "dict.txt").write_text("".join(lines))
    task = make_task(data=str(folder), whole_word_masking=True, mask_prob=0.4)
    batch = first_batch(task)
    positions, slots = batch["net_input"]["predicted"]
    pairs = batch["nsentences"]
    clean = batch["net_input"]["src_tokens"][pairs : 2 * pairs]
    starts = task.datasets["train"].collate.masking.words.starts(clean.numpy())
    predicted = clean.new_zeros(clean.shape, dtype=bool)
    predicted[slots // positions.size(1), positions.flatten()[slots]] = True
    whole = 0
    for row, start, chosen in zip(clean, starts, predicted.numpy()):
        word = start.cumsum()
        parts = {
            frozenset(chosen[(word == w) & (row > 3).numpy()].tolist()) for w in set(word[chosen])
        }
        whole += parts == {frozenset([True])}
    assert whole >= 0.9 * pairs  # the rest: rows in which no word fits


def test_whole_words_of_a_vocabulary_without_word_marks(make_task):
    with pytest.raises(SystemExit, match="error: --whole-word-masking: dict.txt has neither"):
        make_task(whole_word_masking=True).load_dataset("train")
