"""The flags of the optimal transport term, and the checks of their values."""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
import importlib.util
from dataclasses import dataclass, field, fields
from typing import Optional

from fairseq.dataclass import ChoiceEnum

from fairseq_amber.criterions import anchor
from fairseq_amber.criterions.terms import warn_of_left_out
from fairseq_amber.data.alignment.needs import PointSettings
from fairseq_amber.errors import UserError
from fairseq_amber.objectives.optimal_transport.divergence import (
    LARGEST_BLUR,
    LARGEST_SCALING,
    SMALLEST_BLUR,
)
from fairseq_amber.objectives.optimal_transport.sinkhorn import LARGEST_EXPONENT, SMALLEST_MASS


@dataclass
class TransportConfig(anchor.AnchorConfig):
    """The choices of arXiv 2110.02887, of its reference implementations, and practical ones."""

    ot_weight: float = field(
        default=1.0,
        metadata={"help": "weight of optimal transport; 0 = left out (arXiv 2110.02887: 1)"},
    )
    ot_solver: ChoiceEnum(["divergence", "sinkhorn", "exact"]) = field(  # type: ignore[valid-type]
        default="divergence",
        metadata={
            "help": "divergence: the debiased Sinkhorn divergence with Euclidean cost and falling "
            "temperature, as in GeomLoss (arXiv 2110.02887); sinkhorn: entropic transport with one "
            "temperature and a choice of costs and marginals; exact: no temperature, solved by POT "
            "on the CPU"
        },
    )
    ot_points: ChoiceEnum(["words", "subwords"]) = field(  # type: ignore[valid-type]
        default="words",
        metadata={
            "help": "points to transport: the last subword of each word (WordOT), or every subword "
            "(SubOT); in scripts without spaces each subword is a word"
        },
    )
    ot_scope: ChoiceEnum(["batch", "sentence"]) = field(  # type: ignore[valid-type]
        default="batch",
        metadata={
            "help": "batch: one problem for each pair of languages in a GPU's micro-batch, with "
            "all its sentence pairs; sentence: one problem for each sentence pair (arXiv "
            "2110.02887: probably batch); memory grows with the square of the points of a problem"
        },
    )
    ot_equal_sentences: bool = field(
        default=False,
        metadata={
            "help": "with --ot-scope batch, give each sentence the same mass (default, as in "
            "GeomLoss: each point has the same mass)"
        },
    )
    ot_special_tokens: bool = field(
        default=False,
        metadata={"help": "transport <s> and </s> too (Cao et al. 2020's code: yes)"},
    )
    ot_layer: int = field(
        default=-1,
        metadata={"help": "layer of the states, from 1; -1 = last (arXiv 2110.02887: last)"},
    )
    ot_target_language: str = field(
        default="en",
        metadata={
            "help": "language of the target side, to which the other side is moved and which the "
            "anchor holds (arXiv 2110.02887: en); in a pair without it, the second side"
        },
    )
    ot_target_states: ChoiceEnum(["tuned", "frozen"]) = field(  # type: ignore[valid-type]
        default="tuned",
        metadata={
            "help": "take the target states from the trained model (arXiv 2110.02887, equation 2), "
            "or from the frozen initial model (Cao et al. 2020's code)"
        },
    )
    ot_p: int = field(
        default=2,
        metadata={"help": "divergence: the cost is |x - y|^p / p, p = 1 or 2 (GeomLoss: 2)"},
    )
    ot_blur: float = field(
        default=0.05,
        metadata={
            "help": "divergence: p-th root of the last temperature, in units of the states "
            "(GeomLoss and arXiv 2110.02887: 0.05)"
        },
    )
    ot_scaling: float = field(
        default=0.5,
        metadata={"help": "divergence: factor of the blur from step to step (GeomLoss: 0.5)"},
    )
    ot_biased: bool = field(
        default=False,
        metadata={"help": "divergence: do not subtract the cost of each side with itself"},
    )
    ot_cost: ChoiceEnum(["cosine", "sqeuclidean"]) = field(  # type: ignore[valid-type]
        default="cosine",
        metadata={
            "help": "sinkhorn, exact: 1 - cosine, or the squared distance divided by the largest "
            "squared distance or squared norm of the problem"
        },
    )
    ot_position_weight: float = field(
        default=0.0,
        metadata={
            "help": "sinkhorn, exact: weight, in the cost, of the distance |i/S - j/T| between "
            "relative positions in the two sentences; needs --ot-scope sentence"
        },
    )
    ot_epsilon: float = field(
        default=0.1,
        metadata={"help": "sinkhorn: temperature, in units of the cost (IPOT and POT users: 0.1)"},
    )
    ot_iterations: int = field(
        default=50, metadata={"help": "sinkhorn: largest number of iterations (UNITER: 50)"}
    )
    ot_tolerance: Optional[float] = field(
        default=None,
        metadata={
            "help": "sinkhorn: a problem stops when the error of its row sums, in the L1 norm, is "
            "smaller (default: never)"
        },
    )
    ot_reach: Optional[float] = field(
        default=None,
        metadata={
            "help": "sinkhorn: unbalanced transport, for words without a counterpart: the price, "
            "in units of the cost, of marginals that differ from the weights (default: they are "
            "equal)"
        },
    )
    ot_mass: Optional[float] = field(
        default=None,
        metadata={"help": "sinkhorn: share of the mass that is transported (default: all)"},
    )
    ot_marginals: ChoiceEnum(["uniform", "norm", "idf"]) = field(  # type: ignore[valid-type]
        default="uniform",
        metadata={
            "help": "weights of the points: equal (arXiv 2110.02887), proportional to the norm of "
            "their states, or to their inverse document frequency in the training text"
        },
    )
    ot_gradient: ChoiceEnum(["envelope", "unrolled"]) = field(  # type: ignore[valid-type]
        default="envelope",
        metadata={
            "help": "sinkhorn: gradient of the minimised objective, with the plan as a constant, "
            "or of the cost, through all iterations"
        },
    )
    ot_kernel: ChoiceEnum(["torch", "triton"]) = field(  # type: ignore[valid-type]
        default="torch",
        metadata={"help": "sinkhorn: PyTorch, or one fused kernel where GPU and problem allow it"},
    )


def point_settings(cfg: TransportConfig) -> PointSettings:
    """Returns which points a batch has to hold."""
    return PointSettings(
        words=cfg.ot_points == "words",
        special_tokens=cfg.ot_special_tokens,
        pooled=cfg.ot_scope == "batch",
        equal_sentences=cfg.ot_equal_sentences,
        idf=cfg.ot_marginals == "idf",
        target_language=cfg.ot_target_language,
    )


def check(cfg: TransportConfig) -> None:
    """Raises UserError where a setting is out of its range or contradicts another one; warns of
    settings of the transport if the anchor alone has a weight."""
    warn_of_left_out(cfg, "ot", {name: _DEFAULTS[name] for name in _OF_TRANSPORT})
    if cfg.ot_p not in (1, 2):
        raise UserError(f"--ot-p {cfg.ot_p} is neither 1 nor 2")
    if not 0 < cfg.ot_scaling <= LARGEST_SCALING:
        raise UserError(
            f"--ot-scaling {cfg.ot_scaling} is not above 0 and at most {LARGEST_SCALING}"
        )
    if not SMALLEST_BLUR <= cfg.ot_blur <= LARGEST_BLUR:
        raise UserError(
            f"--ot-blur {cfg.ot_blur} is not between {SMALLEST_BLUR:g} and {LARGEST_BLUR:g}"
        )
    for name in ("epsilon", "tolerance", "reach", "mass"):
        value = getattr(cfg, f"ot_{name}")
        if value is not None and not 0 < value < float("inf"):
            raise UserError(f"--ot-{name} {value} is not a finite number above 0")
    if cfg.ot_mass is not None and cfg.ot_mass > 1:
        raise UserError(f"--ot-mass {cfg.ot_mass} is more than 1, the whole mass")
    if cfg.ot_mass is not None and cfg.ot_mass < SMALLEST_MASS:
        raise UserError(
            f"--ot-mass {cfg.ot_mass} is less than {SMALLEST_MASS}, which fp32 can share out"
        )
    if cfg.ot_mass is not None and cfg.ot_reach is not None:
        raise UserError(
            "--ot-mass and --ot-reach: a problem is either partial or unbalanced; drop either"
        )
    if cfg.ot_iterations < 1:
        raise UserError(f"--ot-iterations {cfg.ot_iterations} is less than 1")
    if not 0 <= cfg.ot_position_weight < float("inf"):
        raise UserError(
            f"--ot-position-weight {cfg.ot_position_weight} is not a finite number from 0 up"
        )
    if cfg.ot_position_weight and cfg.ot_scope != "sentence":
        raise UserError(
            "--ot-position-weight compares positions in two sentences: add --ot-scope sentence"
        )
    if cfg.ot_kernel == "triton" and (cfg.ot_mass is not None or cfg.ot_gradient == "unrolled"):
        raise UserError(
            "--ot-kernel triton knows neither --ot-mass nor --ot-gradient unrolled: drop either"
        )
    lowest = largest_cost(cfg) / LARGEST_EXPONENT[str(cfg.ot_kernel)]
    if cfg.ot_solver == "sinkhorn" and cfg.ot_epsilon < lowest:
        raise UserError(
            f"--ot-epsilon {cfg.ot_epsilon} is too low for costs up to {largest_cost(cfg):g}: the "
            f"arithmetic of --ot-kernel {cfg.ot_kernel} allows {lowest:.1e} or more"
        )
    if cfg.ot_solver == "exact" and importlib.util.find_spec("ot") is None:
        raise UserError("--ot-solver exact needs POT: pip install POT, or take another solver")
    given = [name for name, default in _DEFAULTS.items() if getattr(cfg, name) != default]
    for name in given:
        flag = "--" + name.replace("_", "-")
        if name[len("ot_") :] in _UNUSED[str(cfg.ot_solver)]:
            raise UserError(f"{flag} has no effect on --ot-solver {cfg.ot_solver}: drop either")
        if name == "ot_equal_sentences" and (cfg.ot_scope, cfg.ot_marginals) == ("batch", "norm"):
            raise UserError(f"{flag} has no effect on --ot-marginals norm: drop either")
        if name == "ot_equal_sentences" and cfg.ot_scope == "sentence":
            raise UserError(f"{flag} has no effect on --ot-scope sentence: drop either")


def largest_cost(cfg: TransportConfig) -> float:
    """Returns an upper bound of the costs of ``--ot-solver sinkhorn`` and ``exact``."""
    return (2.0 if cfg.ot_cost == "cosine" else 1.0) + cfg.ot_position_weight


def check_unused(cfg: TransportConfig) -> None:
    """Raises UserError where a setting of the term is given although the term is left out."""
    for name, default in _DEFAULTS.items():
        if getattr(cfg, name) != default:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag} has no effect without --ot-weight or --anchor-weight")
    anchor.check_unused(cfg)


_DEFAULTS = {
    flag.name: flag.default
    for flag in fields(TransportConfig)
    if flag.name.startswith("ot_") and flag.name != "ot_weight"
}
_OF_TRANSPORT = [  # the anchor reads the others
    *("ot_solver", "ot_target_states", "ot_p", "ot_blur", "ot_scaling", "ot_biased", "ot_cost"),
    *("ot_position_weight", "ot_epsilon", "ot_iterations", "ot_tolerance", "ot_reach", "ot_mass"),
    *("ot_marginals", "ot_equal_sentences", "ot_gradient", "ot_kernel"),
]
_ANNEALING = ("p", "blur", "scaling", "biased")
_ITERATIONS = ("epsilon", "iterations", "tolerance", "reach", "mass", "gradient", "kernel")
_UNUSED = {
    "divergence": ("cost", "position_weight", *_ITERATIONS),
    "sinkhorn": _ANNEALING,
    "exact": (*_ANNEALING, *_ITERATIONS),
}
