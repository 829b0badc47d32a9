"""The criterion ``ot_alignment``: the words of a sentence are moved to those of its translation.

Alqahtani et al. 2021 (arXiv 2110.02887), section 3: an encoder is fine-tuned on parallel text. The
loss is the cost of optimal transport between the contextual embeddings of both sides; an anchor
keeps the encoder near the initial one.
"""

from __future__ import annotations

from typing import Any

import torch
from fairseq.criterions import register_criterion

from fairseq_amber.criterions.encoded_sentences import encode_pairs
from fairseq_amber.criterions.terms import Terms, TermsCriterion
from fairseq_amber.criterions.transport import TransportTerms
from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.criterions.unread_parameters import unread_parameters, zero_from
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.errors import exit_clearly


@register_criterion("ot_alignment", dataclass=TransportConfig)
class OtAlignmentCriterion(TermsCriterion):
    """``loss = ot_weight * OT + anchor_weight * mean_i |c_i - c0_i|^2``.

    OT is the mean cost over the sentence pairs of the update; the problem of a whole batch counts
    once for each of its pairs. The anchor is the mean over the target points i of the update. The
    paper's equation 2 has a minus before OT, which would drive the languages apart.
    """

    term_names = ("ot", "anchor")

    @exit_clearly
    def __init__(self, task, cfg: TransportConfig):
        super().__init__(task, cfg)
        self.transport = TransportTerms(cfg, task)

    @property
    def needs(self) -> Needs:
        """The parts that a batch must hold."""
        points = self.transport.points
        return Needs(mlm=False, tlm=False, alignment=False, sentences=True, points=points)

    @exit_clearly
    def forward(
        self, model, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[torch.Tensor, int, dict[str, Any]]:
        """Computes the loss of a batch, in one forward pass over the sentences of each block.

        Returns:
            The loss; the sample size, which is 1 because ``Terms`` has divided by the counts; and
            the logging output, with the sum and the count of every term on this rank.
        """
        terms = Terms(self.weights, sample, self.transport.normalized_by)
        sentences = encode_pairs(model, sample, self.transport.layer)
        self.transport.add(terms, sentences, sample)
        log = terms.logging_output(per_corpus=not self.training)
        return (
            terms.loss() + zero_from(unread_parameters(self.task.model, self.transport.layer)),
            1,
            log,
        )
