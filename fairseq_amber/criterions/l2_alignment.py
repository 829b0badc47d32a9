"""The criterion ``l2_alignment``: the states of linked words are drawn together.

Cao et al. 2020 (arXiv 2002.03518), section 2.2. This is the baseline of optimal transport, which
needs no word links.
"""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

import torch
from fairseq.criterions import register_criterion
from fairseq.dataclass import ChoiceEnum

from fairseq_amber.criterions import anchor
from fairseq_amber.criterions.encoded_sentences import encode_pairs, flat_states, take_points
from fairseq_amber.criterions.terms import Terms, TermsCriterion, warn_of_left_out
from fairseq_amber.criterions.unread_parameters import unread_parameters, zero_from
from fairseq_amber.data.alignment.needs import LinkSettings, Needs, PointSettings
from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.models.layer_number import layer_number
from fairseq_amber.objectives.l2_alignment import linked_distance


@dataclass
class L2AlignmentConfig(anchor.AnchorConfig):
    """Where the word links are, and which states they link."""

    l2_weight: float = field(
        default=1.0,
        metadata={"help": "weight of the distance between linked words (Cao et al. 2020: 1)"},
    )
    l2_links: Optional[str] = field(
        default=None,
        metadata={
            "help": "required: folder with a file <split>.<src>-<tgt>.align for each language "
            "pair and split, one line in Pharaoh format (0-0 1-2) for each sentence pair of the "
            "binarised corpus; only one-to-one links are used"
        },
    )
    l2_units: ChoiceEnum(["words", "subwords"]) = field(  # type: ignore[valid-type]
        default="words",
        metadata={
            "help": "the units that links number, from 0: words between spaces, or subwords of "
            "the binarised sentence (fairseq-amber align --units)"
        },
    )
    l2_reduction: ChoiceEnum(["mean", "mse"]) = field(  # type: ignore[valid-type]
        default="mean",
        metadata={
            "help": "how the squared distances are reduced: mean over links, or mse, the mean over "
            "links and dimensions (Cao et al. 2020's code)"
        },
    )
    l2_layer: int = field(
        default=-1,
        metadata={"help": "layer of the states, counted from 1; -1 = last (Cao et al. 2020: last)"},
    )
    l2_special_tokens: bool = field(
        default=False,
        metadata={
            "help": "link <s> with <s> and </s> with </s> in every pair, and let the anchor hold "
            "them too (Cao et al. 2020's code: yes; its paper: not known)"
        },
    )
    l2_target_language: str = field(
        default="en",
        metadata={
            "help": "language of the target side, which the anchor holds (Cao et al. 2020: en); in "
            "a pair without it, the second side"
        },
    )
    l2_target_states: ChoiceEnum(["tuned", "frozen"]) = field(  # type: ignore[valid-type]
        default="tuned",
        metadata={
            "help": "take the target states of links from the trained model, which moves both "
            "sides (default; Cao et al. 2020, equation 1), or from the frozen initial model (Cao "
            "et al. 2020's code)"
        },
    )


@register_criterion("l2_alignment", dataclass=L2AlignmentConfig)
class L2AlignmentCriterion(TermsCriterion):
    """``loss = l2_weight * mean_l |x_l - y_l|^2 + anchor_weight * mean_i |c_i - c0_i|^2``.

    The first mean is over the links l of the update, the second over the words i of its target
    sentences. The state of a word is that of its last subword. With ``--l2-target-states frozen``
    the target word ``y_l`` is a state of the initial encoder, which has no gradient.
    """

    term_names = ("l2", "anchor")

    @exit_clearly
    def __init__(self, task, cfg: L2AlignmentConfig):
        super().__init__(task, cfg)
        if cfg.l2_links is None:
            raise UserError(
                "--l2-links names the folder with the word links, <split>.<src>-<tgt>.align, which "
                "fairseq-amber align writes: add it"
            )
        anchor.check_of_points(cfg)
        if cfg.l2_target_states == "frozen" and not cfg.l2_weight:
            raise UserError(
                "--l2-target-states frozen has no effect without --l2-weight: drop either"
            )
        warn_of_left_out(cfg, "l2", {"l2_reduction": "mean"})
        self.layer = layer_number("--l2-layer", cfg.l2_layer, task.model.depth)
        self.to_frozen = cfg.l2_target_states == "frozen"
        self.frozen = anchor.frozen_encoder(cfg, task, self.layer, targets=self.to_frozen)

    @property
    def needs(self) -> Needs:
        """The parts that a batch must hold."""
        cfg = self.cfg
        return Needs(
            mlm=False,
            tlm=False,
            alignment=False,
            sentences=True,
            points=PointSettings(
                words=cfg.l2_units == "words",
                special_tokens=cfg.l2_special_tokens,
                target_language=cfg.l2_target_language,
            ),
            links=LinkSettings(
                cfg.l2_links,
                units=str(cfg.l2_units),
                special_tokens=cfg.l2_special_tokens,
                target_language=cfg.l2_target_language,
            ),
        )

    @exit_clearly
    def forward(
        self, model, sample: Dict[str, Any], reduce: bool = True
    ) -> Tuple[torch.Tensor, int, Dict[str, Any]]:
        """Computes the loss of a batch, in one forward pass over the sentences of each block.

        Returns:
            The loss; the sample size, which is 1 because ``Terms`` has divided by the counts; and
            the logging output, with the sum and the count of every term on this rank.
        """
        terms = Terms(self.weights, sample, anchor.normalized_by(self.cfg))
        points, links = sample["points"], sample["links"]
        sentences = encode_pairs(model, sample, self.layer)
        states = flat_states([block.states for block in sentences])
        before = None if self.frozen is None else self.frozen.target_states(sentences, sample)
        if self.cfg.l2_weight:
            target = take_points(states, links["target"])
            if self.to_frozen and before is not None:
                target = take_points(before, links["initial"])
            losses = linked_distance(take_points(states, links["source"]), target)
            dim = states.size(-1) if self.cfg.l2_reduction == "mse" else 1
            terms.add("l2", losses / dim)
        if self.cfg.anchor_weight and before is not None:
            held = take_points(states, points["target_index"])
            initial = take_points(before, points["initial_index"])
            anchor.add_anchor(terms, self.cfg, held, initial, sample)
        log = terms.logging_output(per_corpus=not self.training)
        return terms.loss() + zero_from(unread_parameters(self.task.model, self.layer)), 1, log
