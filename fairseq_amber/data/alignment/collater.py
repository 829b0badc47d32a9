"""Makes the batch of a micro-batch of sentences and pairs of any corpora.

Shapes: n pairs and m sentences of a micro-batch, B of them in a block; R rows of T tokens; M
predicted tokens, at most Q in a row; P tokens of the longest sentence of a block, special tokens
included.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch

from fairseq_amber.data.alignment.example import Example, RowStarts
from fairseq_amber.data.alignment.linked_words import LinkedWords
from fairseq_amber.data.alignment.masking import Masking
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.alignment.points import PointFinder
from fairseq_amber.data.alignment.rows import PairLayout, RowMaker
from fairseq_amber.data.blocks import blocks_within
from fairseq_amber.data.layout import Specials

# Sets the words of a sentence apart from each other and from those of other sentences; int64 wraps.
_ODD = -7046029254386353131


class Collater:
    """Makes batches.

    A micro-batch is cut into blocks, each of which is encoded by itself. A block has sentences or
    pairs, of similar length. The masking of an example is a function of (seed, epoch, draw) and not
    of its rank, its micro-batch or its block.

    Args:
        specials: ids of the special tokens.
        needs: which rows to make.
        masking: how rows are corrupted.
        layout: how the sentences of a pair are told apart; None for the default.
        seed: the seed of the masking.
        points: finds the points; None if they are not needed.
        linked: finds linked words; None if they are not needed.
    """

    def __init__(
        self,
        specials: Specials,
        needs: Needs,
        masking: Masking,
        layout: PairLayout | None = None,
        seed: int = 1,
        points: PointFinder | None = None,
        linked: LinkedWords | None = None,
    ):
        self.needs = needs
        self.masking = masking
        self.rows = RowMaker(specials, needs, masking, layout or PairLayout(), seed)
        self.points = points
        self.linked = linked

    def batch(
        self, examples: Sequence[Example], epoch: int, max_tokens: int | None = None
    ) -> dict[str, Any]:
        """Makes a batch.

        Args:
            examples: the examples of a micro-batch.
            epoch: the epoch that the masking is drawn for.
            max_tokens: how many tokens the rows may take up with padding; None for no limit.

        Returns:
            A dict:

            - ``blocks``: the blocks of the sentences, then those of the pairs, as
              ``RowMaker.sentences`` and ``RowMaker.pairs`` return them, with ``parallel``.
            - ``order``: (m + n,) int64, the numbers of the examples in the order of the blocks.
              What follows is in this order.
            - ``nsentences``: the number of examples m + n; ``npairs``: the number n; ``ntokens``:
              the tokens of all rows without padding.
            - ``pairs``, if sentences are compared: what ``_keys`` returns for the pairs; ``others``
              for the sentences, if they are candidates too.
            - ``points``, if they are needed: what ``PointFinder.batch`` returns.
            - ``links``, if they are needed: what ``_links`` returns.
        """
        blocks, order = [], []
        for parallel, groups in self._blocks(examples, max_tokens).items():
            for numbers in groups:
                members = [examples[number] for number in numbers]
                make = self.rows.pairs if parallel else self.rows.sentences
                blocks.append({"parallel": parallel, **make(members, epoch)})
                order.append(numbers)
        everyone = [examples[number] for number in np.concatenate(order)]
        pairs = [example for example in everyone if len(example.sentences) == 2]
        batch: dict[str, Any] = {
            "blocks": blocks,
            "order": torch.from_numpy(np.concatenate(order)),
            "nsentences": len(examples),
            "npairs": len(pairs),
            "ntokens": sum(block["ntokens"] for block in blocks),
        }
        if self.needs.alignment or self.needs.sentences:
            batch["pairs"] = self._keys(pairs)
        if self.needs.others:
            others = [example for example in everyone if len(example.sentences) == 1]
            batch["others"] = self._keys(others)
        starts = RowStarts.of([block["pair_widths"] for block in blocks if block["parallel"]])
        if self.points is not None:
            names = [example.name for example in pairs]
            sentences, words = [e.sentences for e in pairs], [e.words for e in pairs]
            batch["points"] = self.points.batch(names, sentences, words, starts)
            self._add_target_rows(batch, pairs)
        if self.linked is not None:
            batch["links"] = self._links(pairs, batch["pairs"], starts)
        return batch

    def candidates(
        self, examples: Sequence[Example], *, filler: bool, max_tokens: int | None = None
    ) -> dict[str, Any]:
        """Returns the sentences of a micro-batch in unmasked rows of their own.

        Args:
            examples: the examples of the micro-batch.
            filler: whether the micro-batch is a filler.
            max_tokens: as in ``batch``, whose blocks these are.

        Returns:
            ``pairs`` and, if they are candidates too, ``others``: what ``_keys`` returns, with
            ``blocks``, a list of what ``RowMaker.separate`` returns; beside them ``filler`` and, if
            links are needed, ``links``: what ``_links`` returns.
        """
        out: dict[str, Any] = {"filler": filler}
        kinds = self._blocks(examples, max_tokens)
        for name, parallel in (("pairs", True), ("others", False)):
            if not parallel and not self.needs.others:
                continue
            groups = [[examples[number] for number in numbers] for numbers in kinds[parallel]]
            everyone = [example for group in groups for example in group]
            blocks = [self.rows.separate(group) for group in groups]
            out[name] = {**self._keys(everyone), "blocks": blocks}
            if parallel and self.linked is not None:
                shapes = [(len(group), b["tokens"].size(1)) for group, b in zip(groups, blocks)]
                out["links"] = self._links(everyone, out[name], RowStarts.of(shapes))
        return out

    def _blocks(
        self, examples: Sequence[Example], max_tokens: int | None = None
    ) -> dict[bool, list[np.ndarray]]:
        """Returns the numbers of the sentences block by block, and under True those of the
        pairs."""
        kinds: list[list[int]] = [[], []]
        for number, example in enumerate(examples):
            kinds[len(example.sentences) - 1].append(number)
        alone, pairs = ([examples[number] for number in kind] for kind in kinds)
        # A row that may have two segments has room for one more special token.
        lengths = [len(e.sentences[0]) + (e.line_starts is not None) for e in alone]
        sides = np.array([[len(x) for x in e.sentences] for e in pairs], dtype=np.int64)
        sides = sides.reshape(-1, 2)
        sizes = (
            self.needs.cost_of_sentence(np.array(lengths, dtype=np.int64)),
            self.needs.parts_of_pair(sides.sum(axis=1), sides.max(axis=1)),
        )
        blocks = blocks_within(sizes, max_tokens)
        return {
            parallel: [np.array(kinds[parallel])[block] for block in blocks[parallel]]
            for parallel in (False, True)
        }

    def _keys(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Returns ``corpus`` (n,) int64, the number of each example's corpus; ``source_key`` and
        ``target_key`` (n,) int64, equal for equal sentences; both are those of a single sentence;
        and ``by_draw`` (n,) int64, the numbers of the examples in the order of their draws."""
        keys = self.rows.keys([x for e in examples for x in (e.sentences[0], e.sentences[-1])])
        draws = np.array([e.draw for e in examples], dtype=np.int64)
        return {
            "corpus": torch.tensor([e.corpus for e in examples], dtype=torch.int64),
            "by_draw": torch.from_numpy(np.argsort(draws, kind="stable")),
            "source_key": keys[0::2].contiguous(),
            "target_key": keys[1::2].contiguous(),
        }

    def _links(
        self, pairs: Sequence[Example], keys: dict[str, torch.Tensor], starts: RowStarts
    ) -> dict[str, Any]:
        """Returns what ``LinkedWords.batch`` does, and of the M links what ``_keys`` returns of the
        pairs: ``corpus``, and keys that are equal for the same word of equal sentences.

        Args:
            pairs: the pairs.
            keys: what ``_keys`` returns of them.
            starts: where their rows begin.
        """
        assert self.linked is not None
        names, sentences = [e.name for e in pairs], [e.sentences for e in pairs]
        links = self.linked.batch(names, sentences, [e.links for e in pairs], starts)
        pair, both = links["pair"], torch.stack([keys["source_key"], keys["target_key"]])
        sides = [self.linked.settings.target_side(name) for name in names]
        side = torch.tensor(sides, dtype=torch.int64)[pair]
        links["corpus"] = keys["corpus"][pair]
        for name, own in (("source", 1 - side), ("target", side)):
            links[f"{name}_key"] = both[own, pair] + links.pop(f"{name}_place") * _ODD
        return links

    def _add_target_rows(self, batch: dict[str, Any], pairs: Sequence[Example]) -> None:
        """Adds to the blocks of pairs ``target_rows`` (B,) int64: among the 2B rows of all first
        and then all second sentences, the rows of the target sentences."""
        assert self.points is not None
        sides = np.array([self.points.settings.target_side(e.name) for e in pairs], dtype=np.int64)
        start = 0
        for block in batch["blocks"]:
            if block["parallel"]:
                count = block["pair_widths"][0]
                own = sides[start : start + count]
                block["target_rows"] = torch.from_numpy(np.arange(count) + count * own)
                start += count
