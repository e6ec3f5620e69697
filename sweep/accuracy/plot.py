"""The parity plot: predicted against measured step times, as an SVG or PNG picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweep.accuracy.case import Prediction
from sweep.accuracy.figures import grouped
from sweep.accuracy.tiers import Tiers
from sweep.errors import StudyError, SweepError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS: Final = (".png", ".svg")

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Colours that the colour-blind tell apart (Okabe and Ito 2008), and a mark for those who print in black."""

BANDS: Final = ((0.2, 0.10), (0.1, 0.15))
"""Relative errors that are shaded around the diagonal, with their opacities."""


def check_format(path: Path) -> None:
    """Raise ``StudyError`` unless the name of a picture says which of the formats it has."""
    if path.suffix.lower() not in FORMATS:
        raise StudyError.at(f"name the picture with one of the suffixes {', '.join(FORMATS)}", str(path))


def parity_plot(predictions: Sequence[Prediction], tiers: Tiers, title: str, path: Path) -> None:
    """Write predicted against measured step times, and below the ratio of both; a colour and a mark per vendor.

    All axes are logarithmic. A prediction that is a range is drawn as a bar, with its mark in the (geometric) middle.
    Grey bands are 10 % and 20 % around a perfect prediction. Equal predictions give equal files.

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
    with rc_context({"svg.hashsalt": "parity", "svg.fonttype": "none"}):
        figure = Figure(figsize=(7.0, 9.0), layout="constrained")
        times, ratios = figure.subplots(2, sharex=True, height_ratios=(5, 2))
        times.set(title=title, ylabel="predicted step time [s]", yscale="log")
        ratios.set(xlabel="measured step time [s]", ylabel="predicted / measured", xscale="log", yscale="log")
        _draw(times, ratios, predictions, tiers)
        # No date and no version in the file: equal predictions give equal bytes.
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        try:
            figure.savefig(path, dpi=150, metadata=metadata)
        except OSError as error:
            raise SweepError(f"{path}: the picture cannot be written: {error.strerror or error}") from error


def _draw(times: Axes, ratios: Axes, predictions: Sequence[Prediction], tiers: Tiers) -> None:
    every = [time for each in predictions for time in (each.case.seconds, each.low, each.high)]
    edge = np.array([min(every, default=1.0) / 1.5, max(every, default=10.0) * 1.5])
    for band, opacity in BANDS:
        shade: dict[str, Any] = {"color": "#888888", "alpha": opacity, "linewidth": 0}
        times.fill_between(edge, edge * (1 - band), edge * (1 + band), label=f"within {band:.0%}", **shade)
        ratios.fill_between(edge, 1 - band, 1 + band, **shade)
    times.plot(edge, edge, color="#444444", linewidth=0.8)
    ratios.plot(edge, [1, 1], color="#444444", linewidth=0.8)
    vendors = grouped(predictions, lambda case: (tiers.vendors[case.system],))
    largest_first = sorted(vendors.items(), key=lambda item: -len(item[1]))  # the few are drawn over the many
    for place, (vendor, found) in enumerate(largest_first):
        measured, low, high = np.array([(each.case.seconds, each.low, each.high) for each in found]).T
        colour, mark = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        for axes, unit in ((times, 1.0), (ratios, measured)):
            axes.vlines(measured, low / unit, high / unit, color=colour, alpha=0.5, linewidth=1.0)
            middle = np.sqrt(low * high) / unit
            axes.scatter(
                measured, middle, s=12, marker=mark, color=colour, alpha=0.7, linewidths=0,
                label=f"{vendor or 'other'} ({len(found):,})",
            )  # fmt: skip
    times.set(xlim=edge, ylim=edge)
    ticks = [0.5, 0.8, 1.0, 1.25, 2.0]
    ratios.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ratios.minorticks_off()
    times.legend(loc="upper left", frameon=False)
