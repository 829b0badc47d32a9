"""The criterion ``ot_alignment``: the words of a sentence are moved to those of its translation.

Alqahtani et al. 2021 (arXiv 2110.02887), section 3: an encoder is fine-tuned on parallel text by
the cost of optimal transport between contextual embeddings, and kept near what it was.
"""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
from dataclasses import dataclass
from typing import Any, Dict, List

from fairseq.criterions import FairseqCriterion, register_criterion

from fairseq_amber.criterions import anchor
from fairseq_amber.criterions.layers import touch, unread
from fairseq_amber.criterions.terms import Terms, check_weights, reduce_terms
from fairseq_amber.criterions.transport import TransportTerms
from fairseq_amber.criterions.transport_config import TransportConfig, point_settings
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.errors import exit_clearly

TERMS = ("ot", "anchor")


@dataclass
class OtAlignmentConfig(TransportConfig):
    """See :class:`~fairseq_amber.criterions.transport_config.TransportConfig`."""


@register_criterion("ot_alignment", dataclass=OtAlignmentConfig)
class OtAlignmentCriterion(FairseqCriterion):
    """``loss = ot_weight * OT + anchor_weight * mean_i |c_i - c0_i|^2``: OT is a mean over the
    pairs of the update (a problem of a whole batch counts for each of its pairs), the anchor one
    over its target points. The paper's equation 2 has a minus before OT, which would part the
    languages."""

    @exit_clearly
    def __init__(self, task, cfg: OtAlignmentConfig):
        super().__init__(task)
        self.weights = dict(zip(TERMS, (cfg.ot_weight, cfg.anchor_weight)))
        check_weights(self.weights)
        self.counted_in = anchor.counted(cfg)
        self.transport = TransportTerms(cfg, task.model)
        self.settings = point_settings(cfg)

    @property
    def needs(self) -> Needs:
        """What the task has to put into a batch."""
        return Needs(mlm=False, tlm=False, alignment=False, sentences=True, points=self.settings)

    @exit_clearly
    def forward(self, model, sample: Dict[str, Any], reduce: bool = True):
        """One forward pass over the sentences of a batch.

        Returns:
            The loss; the sample size, 1, see :class:`~fairseq_amber.criterions.terms.Terms`; the
            logging output: for every term its sum and its count on this rank.
        """
        terms = Terms(self.weights, sample, self.counted_in)
        tokens = sample["sentences"]["tokens"]
        states, _ = model(tokens, features_only=True, sentence_layer=self.transport.layer)
        self.transport.add(terms, states, tokens, sample)
        log = terms.logging_output(per_corpus=not self.training)
        return terms.loss() + touch(unread(self.task.model, self.transport.layer)), 1, log

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Logs what :func:`~fairseq_amber.criterions.terms.reduce_terms` logs."""
        reduce_terms(logging_outputs)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """True: every value is a sum over this rank's examples."""
        return True
