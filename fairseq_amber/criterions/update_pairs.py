"""The candidates that an anchor chooses among: those of a rank, of a step, or of an update.

An update consists of several steps (``--update-freq``), and each step sees only its own sentences.
To choose among all pairs of the update, the first step encodes the sentences of the other steps
ahead, without gradient, as GradCache does (Gao et al. 2021, arXiv 2101.06983). Each step then
computes the loss of all anchors over all candidates, where only the vectors of this step have a
gradient. This is the gradient of the whole update's loss with respect to these vectors; summed over
the steps, it equals the gradient of one large batch.

Shapes: n pairs of this rank, A anchors of this rank, N candidates, D dimensions.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, NamedTuple, Sequence

import torch

from fairseq_amber.criterions.pairs import Pairs

Encode = Callable[[Dict[str, Any]], Any]
EncodeStep = Callable[..., "tuple[Pairs, Pairs | None]"]


class Choice(NamedTuple):
    """The candidates that each anchor chooses among.

    Attributes:
        anchors: the A pairs of this rank.
        candidates: the N pairs to choose among.
        positives: (A,) int64, the index of each anchor among the candidates.
        ignore: (A, N) bool, True where a candidate must not be a negative of an anchor, because it
            has the same source or the same target, or because it does not count.
        own: the slice of the anchors that holds the pairs of this step.
    """

    anchors: Pairs
    candidates: Pairs
    positives: torch.Tensor
    ignore: torch.Tensor
    own: slice

    @property
    def weights(self) -> torch.Tensor:
        """(A,) fp32: 1 for an anchor that counts, 0 for padding and fillers."""
        return (self.anchors.keys[:, 2] > 0).float()


class Step(NamedTuple):
    """The sentences of one step.

    Attributes:
        mine: the pairs of this rank.
        everyone: the pairs of all ranks.
        offset: the index of the first pair of this rank among those of all ranks.
        others: monolingual sentences of all ranks that are candidates too; None without them.
    """

    mine: Pairs
    everyone: Pairs
    offset: int
    others: Pairs | None = None

    @classmethod
    def gathered(
        cls, pairs: Pairs, others: Pairs | None, update: Any, number: int, heights: str
    ) -> Step:
        """Gathers the sentences of all ranks at the step ``number`` of the update with these
        ``data.plan.Normalizers``, whose ``heights`` say how many pairs other ranks hold."""
        if others is not None:
            others, _ = others.gathered(update["sentence_heights"][number])
        return cls(pairs, *pairs.gathered(update[heights][number]), others)

    def detached(self) -> Step:
        """Returns the step without gradient."""
        others = None if self.others is None else self.others.detached()
        return Step(self.mine.detached(), self.everyone.detached(), self.offset, others)


def choice_over(steps: Sequence[Step], step_index: int = 0, *, same_corpus: bool = False) -> Choice:
    """Lets the anchors of several steps choose among the candidates of all of them.

    Args:
        steps: the steps, in order.
        step_index: the index of the present step.
        same_corpus: only pairs of the anchor's own corpus are candidates.

    Returns:
        The anchors and the candidates that they choose among.
    """
    positives, own, anchors_before, candidates_before = [], slice(0), 0, 0
    for number, step in enumerate(steps):
        n = len(step.mine.keys)
        start = candidates_before + step.offset
        positives.append(torch.arange(start, start + n, device=step.mine.keys.device))
        if number == step_index:
            own = slice(anchors_before, anchors_before + n)
        anchors_before += n
        candidates_before += len(step.everyone.keys)
    anchors = Pairs.joined([step.mine for step in steps])
    others = [step.others for step in steps if step.others is not None]
    candidates = Pairs.joined([step.everyone for step in steps] + others)
    ignore = ignored(anchors.keys, candidates.keys, same_corpus=same_corpus)
    return Choice(anchors, candidates, torch.cat(positives), ignore, own)


def ignored(
    anchors: torch.Tensor, candidates: torch.Tensor, *, same_corpus: bool = False
) -> torch.Tensor:
    """Finds the candidates that must not be negatives of an anchor; see ``Choice``.

    Args:
        anchors: (A, 3) keys.
        candidates: (N, 3) keys.
        same_corpus: candidates of other corpora must not be negatives either.

    Returns:
        (A, N) bool.
    """
    source, target, corpus = anchors.unsqueeze(2).unbind(dim=1)  # (A, 1) each
    sources, targets, corpora = candidates.unbind(dim=1)  # (N,) each
    same = (source == sources) | (target == targets) | (corpora == 0)
    return same | (corpus != corpora) if same_corpus else same


def encoded(
    sentences: dict[str, Any], encode: Encode, *, like: Pairs
) -> tuple[Pairs, Pairs | None]:
    """Encodes what ``data.alignment.collater.Collater.candidates`` returns.

    Args:
        sentences: the sentences of a step.
        encode: turns a block into vectors, as in ``UpdatePairs.choice``.
        like: pairs with vectors of the same dimension and device.

    Returns:
        The pairs and, if they are candidates, the monolingual sentences.
    """
    empty = [like.sources.new_zeros(0, like.sources.size(1))]
    filler, own = sentences["filler"], sentences["pairs"]
    pairs = Pairs.of([*map(encode, own["blocks"])] or empty, own, filler)
    others = sentences.get("others")
    if others is None:
        return pairs, None
    vectors = [*map(encode, others["blocks"])] or empty
    return pairs, Pairs.of_sentences(vectors, others, filler)


class UpdatePairs:
    """The sentences of the present update; its first step encodes those of all other steps.

    Args:
        encode_step: encodes the pairs of a step, of sentences (default) or of words.
        heights: the name of the numbers of pairs in ``data.plan.Normalizers``.
    """

    def __init__(self, encode_step: EncodeStep = encoded, heights: str = "pair_heights") -> None:
        self.steps: list[Step] = []
        self._encode_step = encode_step
        self._heights = heights

    def choice(
        self,
        pairs: Pairs,
        others: Pairs | None,
        sample: dict[str, Any],
        encode: Encode,
        scope: str,
        *,
        same_corpus: bool = False,
    ) -> Choice:
        """Finds the candidates of this step's pairs.

        Args:
            pairs: the pairs of this step and rank, with gradient.
            others: the monolingual sentences that are candidates too; None without them.
            sample: the batch; its ``normalizers`` say how many pairs other ranks hold.
            encode: turns a block of ``update_sentences`` into (2B, D) vectors, or (B, D) of
                monolingual sentences; or what else ``encode_step`` takes.
            scope: ``rank``, ``step`` (all ranks) or ``update`` (all ranks and steps).
            same_corpus: only pairs of the anchor's own corpus are candidates.

        Returns:
            The anchors and the candidates that they choose among.
        """
        update, number = sample["normalizers"], sample["step"]
        if scope == "rank" or update is None:
            return choice_over([Step(pairs, pairs, 0, others)], same_corpus=same_corpus)
        present = Step.gathered(pairs, others, update, number, self._heights)
        count = len(update[self._heights])
        if scope == "step" or count == 1:
            return choice_over([present], same_corpus=same_corpus)
        if number == 0:
            self.steps = self._encode_ahead(present, sample, encode)
        steps = list(self.steps)
        steps[number] = present
        if number == count - 1:
            self.steps = []
        return choice_over(steps, number, same_corpus=same_corpus)

    @torch.no_grad()
    def _encode_ahead(self, present: Step, sample: dict[str, Any], encode: Encode) -> list[Step]:
        """Returns the steps of the update without gradient; the first is the present one."""
        steps = [present.detached()]
        for number, sentences in enumerate(sample["update_sentences"][1:], start=1):
            pairs, others = self._encode_step(sentences, encode, like=present.mine)
            update = sample["normalizers"]
            steps.append(Step.gathered(pairs, others, update, number, self._heights))
        return steps


def own_sentences(
    sample: dict[str, Any],
    pairs: Sequence[torch.Tensor],
    others: Sequence[torch.Tensor],
    empty: Callable[[], torch.Tensor],
) -> tuple[Pairs, Pairs | None]:
    """Puts together the sentences of this step and rank.

    Args:
        sample: the batch.
        pairs: the vectors of each block of pairs, (2B, D).
        others: the vectors of each block of monolingual sentences, (B, D).
        empty: makes (0, D) vectors that depend on every parameter: a rank without pairs enters the
            backward pass of the gathering too.

    Returns:
        The pairs and, if they are candidates, the monolingual sentences.
    """
    filler = sample["filler"]
    own = Pairs.of(pairs or [empty()], sample["pairs"], filler)
    if "others" not in sample:
        return own, None
    return own, Pairs.of_sentences(others or [empty()], sample["others"], filler)


def is_contrasted(
    sample: dict[str, Any], scope: str, *, heights: str = "pair_heights", held: int | None = None
) -> bool:
    """Returns whether a rank takes part in the contrast of this step; all ranks agree.

    Args:
        sample: the batch.
        scope: as in ``UpdatePairs.choice``.
        heights: as in ``UpdatePairs``.
        held: how many pairs the batch holds; by default its sentence pairs.
    """
    update = sample["normalizers"]
    if scope == "rank" or update is None:
        return (sample["npairs"] if held is None else held) > 0
    if scope == "step":
        return update[heights][sample["step"]] > 0
    return any(update[heights])
