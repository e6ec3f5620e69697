"""The bars of a sensitivity analysis as an SVG or PNG picture: shares of each metric above, tornado below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sweep.accuracy.plot import check_format
from sweep.errors import SweepError
from sweep.sensitivity import tables, words
from sweep.sensitivity.analysis import Decided, Sensitivity
from sweep.sensitivity.tornado import Tornado
from sweep.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALONE: Final[dict[str, Any]] = {"color": "#0072b2"}
TOGETHER: Final[dict[str, Any]] = {"facecolor": "white", "edgecolor": "#0072b2", "hatch": "////", "linewidth": 0.6}
MORE: Final[dict[str, Any]] = {"color": "#d55e00"}
LESS: Final[dict[str, Any]] = {"facecolor": "white", "edgecolor": "#d55e00", "hatch": "....", "linewidth": 0.6}
"""Colours that the colour-blind tell apart (Okabe and Ito 2008); one of each pair is hatched for black print."""

MOST_SWINGS: Final = 14
NOISE: Final = 1e-9


def sensitivity_plot(answer: Sensitivity, path: Path) -> None:
    """Write the shares of every metric, and its tornado when there is one. Equal answers give equal files.

    Raises
    ------
    StudyError
        The suffix is neither .png nor .svg.
    SweepError
        Matplotlib is not installed, or the file cannot be written.
    """
    check_format(path)
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - an optional extra, half a second
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SweepError("matplotlib is not installed; pip install 'supernode-sweep[plots]'") from error
    drawn = [place for place, found in enumerate(answer.decided) if found.kind != "constant"]
    heights = [_heights(answer, place) for place in drawn]
    rows = [height for pair in heights for height in pair if height]
    if not rows:
        raise SweepError(f"{path}: no metric changes, so there is nothing to draw")
    with rc_context({"svg.hashsalt": "sensitivity", "svg.fonttype": "none", "hatch.linewidth": 0.6}):
        figure = Figure(figsize=(8.0, sum(rows)), layout="constrained")
        panels = iter(figure.subplots(len(rows), squeeze=False, height_ratios=rows)[:, 0])
        for place, (_, swings) in zip(drawn, heights, strict=True):
            _shares(next(panels), answer, place)
            if swings and answer.around is not None:
                _tornado(next(panels), answer, answer.around, place)
        # No date and no version in the file: equal answers give equal bytes.
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        try:
            figure.savefig(path, dpi=150, metadata=metadata)
        except OSError as error:
            raise SweepError(f"{path}: the picture cannot be written: {error.strerror or error}") from error


def _heights(answer: Sensitivity, metric: int) -> tuple[float, float]:
    """Return the heights of the two panels of a metric [inches]; 0 where there is none."""
    bars = len(answer.inputs.every)
    swings = 0 if answer.around is None else len(_moving(answer.around, metric))
    return 1.3 + 0.26 * bars, 1.3 + 0.26 * swings if swings else 0.0


def _shares(axes: Axes, answer: Sensitivity, metric: int) -> None:
    column, found = answer.metrics[metric], answer.decided[metric]
    names, lengths, rest, errors = _bars(found)
    places = range(len(names))
    axes.barh(places, lengths, **ALONE, label="alone" if found.kind != "morris" else "mu*")
    if any(rest):
        axes.barh(places, rest, left=lengths, **TOGETHER, label="together with other inputs")
    ends = [length + more for length, more in zip(lengths, rest, strict=True)]
    axes.errorbar(ends, places, xerr=errors, fmt="none", ecolor="black", elinewidth=0.8, capsize=2)
    what = "mean change over the range of the input" if found.kind == "morris" else "share of the variance [%]"
    unit = f" [{column.unit}]" if found.kind == "morris" and column.unit else ""
    axes.set(title=f"What decides {column.name}", xlabel=what + unit, xlim=(0, None))
    _named(axes, names)
    axes.legend(loc="lower right", frameon=False)


def _bars(found: Decided) -> tuple[list[str], list[float], list[float], list[float]]:
    """Return names, bars, what is added to them, and intervals of the whole."""
    if found.kind == "morris":
        effects = found.effects
        sizes = [each.size for each in effects]
        return [each.input for each in effects], sizes, [0.0] * len(effects), [each.interval for each in effects]
    firsts = [100 * max(each.first, 0.0) for each in found.indices]
    wholes = [100 * words.share(each) for each in found.indices]
    rest = [max(whole - first, 0.0) for whole, first in zip(wholes, firsts, strict=True)]
    return [each.input for each in found.indices], firsts, rest, [100 * words.interval(each) for each in found.indices]


def _named(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)


def _moving(around: Tornado, metric: int) -> list[tuple[str, Any, float]]:
    """Return input, settings and change of the swings that move a metric, the furthest input first."""
    start = around.values[metric]
    found = [
        (name, swing.settings, value - start)
        for name, swings in around.ranked(metric)
        for swing in swings
        if start is not None and (value := swing.values[metric]) is not None and abs(value - start) > NOISE * abs(start)
    ]
    return found[:MOST_SWINGS]


def _tornado(axes: Axes, answer: Sensitivity, around: Tornado, metric: int) -> None:
    column = answer.metrics[metric]
    moving = _moving(around, metric)
    hidden = words.workload_extras(answer.inputs)
    for place, (_, _, change) in enumerate(moving):
        axes.barh(place, change, **(MORE if change > 0 else LESS))
    axes.axvline(0.0, color="black", linewidth=0.8)
    start = f"{number(around.values[metric], 4)} {column.unit}".rstrip()
    design = "" if around.base.design is None else f" around design {around.base.design}"
    axes.set_title(f"{column.name}: one input at a time{design}, {start}", loc="right")  # free to the left of the axes
    axes.set_xlabel(f"change of {tables.headed(column)}")
    _named(axes, [words.settings_text(settings, around.times, hidden) for _, settings, _ in moving])
