"""Examples without a corpus, batches of them, and what a block holds of each of its examples."""

import numpy as np

from fairseq_amber.data.alignment.collater import Collater
from fairseq_amber.data.alignment.example import Example
from fairseq_amber.data.alignment.masking import Masking, MaskingRates
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.alignment.rows import PairLayout, RowMaker
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.token_file import TokenFile
from toy_corpora import write_binarised

SPECIALS = Specials(bos=0, eos=2, pad=1, mask=44)
ORDINARY = (4, 44)
NAMES = ("de", "de-en", "en-tr", "tr-de")  # of the corpora 0, 1, 2 and 3


def stored(path, sentences):
    """A file of these sentences."""
    write_binarised(path, sentences)
    return TokenFile(path)


def sentence(draw, x, line_starts=None):
    return Example(0, NAMES[0], draw, (np.asarray(x),), line_starts=line_starts)


def pair(draw, x, y, corpus=1, links=None):
    return Example(corpus, NAMES[corpus], draw, (np.asarray(x), np.asarray(y)), links)


def mixed_examples(random_sentences, count, seed=0, high=12):
    """``count`` sentences and ``count`` pairs of three corpora, in random order. Each seed has
    draws of its own."""
    x, y, z = (random_sentences(count, 10 * seed + side, high=high) for side in range(3))
    examples = [sentence(1000 * seed + n, one) for n, one in enumerate(x)]
    examples += [
        pair(1000 * seed + 500 + n, *both, corpus=1 + n % 3) for n, both in enumerate(zip(y, z))
    ]
    order = np.random.default_rng(seed).permutation(len(examples))
    return [examples[n] for n in order]


def blocks_of(pairs, seed=0):
    """(B, P) of blocks that pairs of sentences are cut into at random, in their order."""
    rng, shapes, start = np.random.default_rng(seed), [], 0
    while start < len(pairs):
        block = pairs[start : start + int(rng.integers(1, 4))]
        longest = max(len(one) for sentences in block for one in sentences)
        shapes.append((len(block), longest + int(rng.integers(2, 4))))
        start += len(block)
    return shapes


def states_of(shapes, sides=(0, 1)):
    """Of each state of blocks of (B, P), in turn: (number of its pair, side, column). Each block
    has the rows of one side after those of the other."""
    states, before = [], 0
    for count, width in shapes:
        numbers = range(before, before + count)
        states += [(n, side, column) for side in sides for n in numbers for column in range(width)]
        before += count
    return states


def row_maker(needs=None, layout=None, seed=1, **rates):
    masking = Masking(MaskingRates(**rates), SPECIALS.mask, ORDINARY)
    return RowMaker(SPECIALS, needs or Needs(), masking, layout or PairLayout(), seed)


def collater(needs=None, layout=None, seed=1, points=None, linked=None, **rates):
    masking = Masking(MaskingRates(**rates), SPECIALS.mask, ORDINARY)
    return Collater(SPECIALS, needs or Needs(), masking, layout, seed, points, linked)


def places(batch):
    """How many tokens the rows of a batch take up, with their padding."""
    tokens = [block["net_input"]["src_tokens"] for block in batch["blocks"]]
    tokens += [b["sentences"]["tokens"] for b in batch["blocks"] if "sentences" in b]
    return sum(one.numel() for one in tokens)


def content(block):
    """What a block holds of each of its B examples, without padding: its rows of ``net_input``, of
    which the first is masked, the tokens that it predicts, and its sentences in rows of their own.
    """
    net_input = block["net_input"]
    tokens = net_input["src_tokens"]
    positions, slots = net_input["predicted"]
    pairs = "pair_widths" in block
    count = block["pair_widths"][0] if pairs else len(tokens)
    predicted: list = [[] for _ in range(count)]
    for slot, target in zip(slots.tolist(), block["target"].tolist()):
        predicted[slot // positions.size(1)].append((int(positions.flatten()[slot]), target))
    out = []
    for example in range(count):
        rows = range(example, len(tokens), count)
        lengths = [int((tokens[row] != SPECIALS.pad).sum()) for row in rows]
        found = {"rows": [tokens[row, :length].tolist() for row, length in zip(rows, lengths)]}
        for name in ("segments", "positions"):
            if name in net_input:
                values = net_input[name]
                found[name] = [values[row, :length].tolist() for row, length in zip(rows, lengths)]
        if "prefix_lengths" in net_input:
            found["prefixes"] = net_input["prefix_lengths"][list(rows)].tolist()
            sides = (block["source_mask"], block["target_mask"])
            found["aligned"] = [int(mask[example].sum()) for mask in sides]
            cross, (x, y) = net_input["cross"], found["aligned"]
            found["queries"] = [
                cross[0][example, :y].tolist(),
                cross[0][example + count, :x].tolist(),
            ]
            found["keys"] = [
                cross[1][example, :x].tolist(),
                cross[1][example + count, :y].tolist(),
            ]
            found["means"] = [
                _places(block["sentence_mask"][at]) for at in (example, example + count)
            ]
        found["predicted"] = predicted[example]
        if "sentences" in block:
            own, mask = block["sentences"]["tokens"], block["sentences"]["mask"]
            found["own"] = [
                ([int(token) for token in own[row] if token != SPECIALS.pad], _places(mask[row]))
                for row in range(example, len(own), count)
            ]
        out.append(found)
    return out


def _places(mask):
    return mask.nonzero()[:, 0].tolist()
