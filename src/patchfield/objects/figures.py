"""Distributions and fractions as figures of matplotlib, which is imported when one is drawn."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from patchfield.errors import PatchfieldError
from patchfield.images.colors import NamedColor, default_color
from patchfield.objects.distribution import SizeDistribution

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def size_figure(distribution: SizeDistribution, title: str = "") -> "Figure":
    """Histograms of the equivalent diameter, by number and by area (or volume).

    The figure belongs to the caller: put it on a canvas, or `savefig` it. Nothing of pyplot is touched.

    Parameters
    ----------
    distribution : SizeDistribution
    title : str

    Raises
    ------
    PatchfieldError
        When matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from patchfield.objects import measure, size_distribution
    >>> figure = size_figure(size_distribution(measure(np.eye(3, dtype=int))))
    >>> figure.axes[0].get_xlabel()
    'equivalent diameter (px)'
    """
    figure = _new_figure()
    axes = figure.add_subplot()
    left, widths = distribution.edges[:-1], distribution.edges[1:] - distribution.edges[:-1]
    shares = {"number": (0.06, "#4aa8ff", distribution.number_fraction)}
    shares[distribution.by] = (0.5, "#ffb000", distribution.size_fraction)
    for by, (start, color, share) in shares.items():
        axes.bar(left + widths * start, share, widths * 0.44, align="edge", color=color, label=f"by {by}")
    if distribution.count:
        axes.axvline(distribution.median, color="0.3", linewidth=1, linestyle="--", label="median")
    axes.set_xlim(0, distribution.edges[-1])
    axes.set_xlabel(f"equivalent diameter ({distribution.unit})")
    axes.set_ylabel("fraction")
    axes.set_title(title or f"{distribution.count} objects", loc="left")
    # Above the bars, which are anywhere.
    axes.legend(frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2)
    return figure


def fraction_figure(
    fractions: Mapping[int, float], classes: Mapping[int, NamedColor] | None = None, title: str = ""
) -> "Figure":
    """A bar for the share of every class, in its colour.

    Parameters
    ----------
    fractions : mapping of label value to share
        As :func:`patchfield.objects.class_fractions` gives it.
    classes : mapping of label value to an object with `name` and `color`, optional
    title : str

    Raises
    ------
    PatchfieldError
        When matplotlib is not installed.

    Examples
    --------
    >>> len(fraction_figure({1: 0.25, 2: 0.5}).axes[0].patches)
    2
    """
    figure = _new_figure()
    axes = figure.add_subplot()
    known = classes or {}
    names = [known[value].name if value in known else f"class {value}" for value in fractions]
    colors = [known[value].color if value in known else default_color(value) for value in fractions]
    percent = [100 * share for share in fractions.values()]
    positions = range(len(names))
    axes.bar_label(axes.barh(positions, percent, color=colors), fmt="%.1f", padding=3)
    axes.set_yticks(positions, names)
    axes.set_xlim(0, 110)
    axes.invert_yaxis()
    axes.set_xlabel("share of all pixels (%)")
    axes.set_title(title)
    return figure


def require_matplotlib() -> None:
    """Make sure that figures can be drawn.

    Raises
    ------
    PatchfieldError
        When matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise PatchfieldError("Figures are drawn by matplotlib: install it with `pip install matplotlib`.")


def _new_figure() -> "Figure":
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(6, 4), layout="constrained")
