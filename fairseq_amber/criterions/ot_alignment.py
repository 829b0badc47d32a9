"""The criterion ``ot_alignment``: the words of a sentence are moved to those of its translation.

Alqahtani et al. 2021 (arXiv 2110.02887), section 3: an encoder is fine-tuned on parallel text by
the cost of optimal transport between contextual embeddings, and kept near what it was.
"""

from __future__ import annotations

from typing import Any

from fairseq.criterions import register_criterion

from fairseq_amber.criterions.layers import unread_parameters, zero_from
from fairseq_amber.criterions.terms import Terms, TermsCriterion
from fairseq_amber.criterions.transport import TransportTerms
from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.errors import exit_clearly


@register_criterion("ot_alignment", dataclass=TransportConfig)
class OtAlignmentCriterion(TermsCriterion):
    """``loss = ot_weight * OT + anchor_weight * mean_i |c_i - c0_i|^2``: OT is a mean over the
    pairs of the update (a problem of a whole batch counts for each of its pairs), the anchor one
    over its target points. The paper's equation 2 has a minus before OT, which would part the
    languages."""

    term_names = ("ot", "anchor")

    @exit_clearly
    def __init__(self, task, cfg: TransportConfig):
        super().__init__(task, cfg)
        self.transport = TransportTerms(cfg, task.model)

    @property
    def needs(self) -> Needs:
        """What the task has to put into a batch."""
        points = self.transport.points
        return Needs(mlm=False, tlm=False, alignment=False, sentences=True, points=points)

    @exit_clearly
    def forward(self, model, sample: dict[str, Any], reduce: bool = True):
        """One forward pass over the sentences of a batch.

        Returns:
            The loss; the sample size, 1, see :class:`~fairseq_amber.criterions.terms.Terms`; the
            logging output: for every term its sum and its count on this rank.
        """
        terms = Terms(self.weights, sample, self.transport.normalized_by)
        tokens = sample["sentences"]["tokens"]
        states, _ = model(tokens, features_only=True, sentence_layer=self.transport.layer)
        self.transport.add(terms, states, tokens, sample)
        log = terms.logging_output(per_corpus=not self.training)
        return (
            terms.loss() + zero_from(unread_parameters(self.task.model, self.transport.layer)),
            1,
            log,
        )
