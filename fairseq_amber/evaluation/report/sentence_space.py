"""Draws sentence vectors in the plane.

The picture shows whether translations lie together, or the sentences of each language.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np

from fairseq_amber.errors import UserError, one_line
from fairseq_amber.evaluation.report.panels import colour, legend, panels
from fairseq_amber.files.pictures import COLOURS, save_picture
from fairseq_amber.progress import heartbeat

METHODS = ("pca", "tsne")
_MARKERS = "osD^vPX"
_MOST_LINES = 200


class Plane(NamedTuple):
    """N sentences of several language pairs in the plane.

    Attributes:
        places: (N, 2), the coordinates of each sentence.
        method: the name and the settings of the projection, in words.
        languages: the language of each sentence.
        pairs: (M, 2), the indices of sentences that translate each other.
    """

    places: np.ndarray
    method: str
    languages: list[str]
    pairs: np.ndarray


def project(vectors: np.ndarray, method: str, *, seed: int = 0) -> tuple[np.ndarray, str]:
    """Projects vectors to the plane, after dividing each by its length as the cosine does.

    Args:
        vectors: (N, D).
        method: ``pca`` keeps the two directions of largest variance. ``tsne`` (van der Maaten and
            Hinton, 2008) keeps neighbours together, but not distances; its perplexity is 30, or a
            third of the number of sentences if that is less.
        seed: seed of t-SNE.

    Returns:
        The places (N, 2), and the method in words.

    Raises:
        UserError: scikit-learn is missing, or there are fewer than 4 sentences.
    """
    if len(vectors) < 4:
        raise UserError(f"{len(vectors)} sentences are too few for a picture; give 2 pairs or more")
    PCA, TSNE = import_sklearn()
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.asarray(vectors, dtype=np.float64) / np.maximum(lengths, 1e-12)
    if method == "pca":
        pca = PCA(n_components=2, svd_solver="full")
        with heartbeat(f"PCA of {len(unit):,} sentences"):
            places = pca.fit_transform(unit)
        return places, f"PCA, {pca.explained_variance_ratio_.sum():.0%} of the variance"
    perplexity = min(30.0, (len(unit) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    with heartbeat(f"t-SNE of {len(unit):,} sentences"):
        return tsne.fit_transform(unit), f"t-SNE, perplexity {perplexity:.0f}"


def check_languages(languages: Sequence[str]) -> None:
    """Checks that every language can have a colour of its own.

    Raises:
        UserError: there are more languages than colours.
    """
    count = len(set(languages))
    if count > len(COLOURS):
        raise UserError(
            f"{count} languages cannot be told apart in a picture, only {len(COLOURS)}: choose "
            "some with --space-pairs"
        )


def import_sklearn() -> tuple[Any, Any]:
    """Imports scikit-learn's PCA and t-SNE.

    Raises:
        UserError: scikit-learn is missing.
    """
    try:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
    except ImportError:
        raise UserError("--space needs scikit-learn; pip install scikit-learn") from None
    return PCA, TSNE


def plot_space(spaces: Mapping[str, Plane], paths: Sequence[str | Path]) -> None:
    """Draws one panel for each system.

    Each language has a colour and a marker. A thin line joins each pair of translations, if there
    are at most 200 pairs.

    Args:
        spaces: the sentences of each system, by its name.
        paths: the files to write; the suffix of each decides its format.

    Raises:
        UserError: matplotlib is missing, or a file cannot be written.
    """
    languages = list(dict.fromkeys(name for plane in spaces.values() for name in plane.languages))
    with panels(len(spaces), size=(3.9, 3.7)) as (figure, axes):
        for (name, plane), panel in zip(spaces.items(), axes):
            _draw(panel, plane, languages)
            panel.set_title(one_line(name), fontsize=10, loc="left")
            panel.set(xticks=[], yticks=[], xlabel=plane.method)
            panel.set_aspect("equal", adjustable="datalim")
            panel.spines[:].set_visible(True)
            panel.spines[:].set_color("#cccccc")
        legend(figure, _handles(languages, any(_joined(plane) for plane in spaces.values())))
        for path in paths:
            save_picture(figure, path)


def _joined(plane: Plane) -> bool:
    """Tells whether lines join translations."""
    return len(plane.pairs) <= _MOST_LINES


def _draw(panel: Any, plane: Plane, languages: Sequence[str]) -> None:
    """Draws the sentences of one system into a panel."""
    from matplotlib.collections import LineCollection

    if _joined(plane):
        segments = plane.places[plane.pairs]
        panel.add_collection(LineCollection(segments, colors="#c4c4c4", linewidths=0.6))
    for number, language in enumerate(languages):
        chosen = plane.places[[other == language for other in plane.languages]]
        panel.scatter(
            *chosen.T,
            s=20 if _joined(plane) else 9,
            color=colour(number),
            marker=_MARKERS[number],
            linewidths=0.4,
            edgecolors="white",
            zorder=2,
        )


def _handles(languages: Sequence[str], joined: bool) -> list[Any]:
    """Returns the entries of the legend."""
    from matplotlib.lines import Line2D

    dots = [
        Line2D([], [], color=colour(i), marker=_MARKERS[i], linestyle="none", label=language)
        for i, language in enumerate(languages)
    ]
    return dots + [Line2D([], [], color="#c4c4c4", linewidth=1, label="translations")] * joined
