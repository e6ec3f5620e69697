"""Draw docs/answer.svg from a finished run of the main study: cost of training against time, for both systems.

    supernode run cloudmatrix384-vs-gb200-nvl72
    python docs/picture.py results/cloudmatrix384-vs-gb200-nvl72/latest docs/answer.svg

Each curve is the cheapest way to be done by a given day at the nominal scenario; fewer days need more supernodes.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from sweep.dataset import open_run

QUERY = """
SELECT workload, system, time_to_train AS days, cost_to_train AS cost
FROM designs
WHERE status = 'ok' AND time_to_train <= 1000
  AND region = 'own' AND abs(power_price - 0.056) < 1e-9 AND abs(chip_price_times - 1) < 1e-9
  AND coalesce(staff_multiplier, 1) = 1 AND scale_up_bandwidth_times = 1 AND scale_out_bandwidth_times = 1
ORDER BY workload, system, days
"""
COLOURS = {"cloudmatrix384": "#c8442e", "gb200-nvl72": "#2f6f4f"}
DASHES = {"cloudmatrix384": "", "gb200-nvl72": "7 4"}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM, GAP = 860, 400, 70, 60, 60, 70
TICKS = [base * 10**power for power in range(-1, 6) for base in (1, 2, 3, 5, 7)]
SPARSE = {1, 2, 5}
"""Leading digits on the axis of days, which spans decades."""


def frontier(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other one beats in both days and cost, by days."""
    kept: list[tuple[float, float]] = []
    best = math.inf
    for days, cost in sorted(points):
        if cost < best:
            kept.append((days, cost))
            best = cost
    return kept


class Panel:
    """One chart with logarithmic axes: cost over days."""

    def __init__(self, left: float, title: str, curves: dict[str, list[tuple[float, float]]]) -> None:
        self.left, self.title, self.curves = left, title, curves
        self.width = (WIDTH - LEFT - GAP - 20) / 2
        days = [point[0] for curve in curves.values() for point in curve]
        costs = [point[1] for curve in curves.values() for point in curve]
        self.days = (min(days) / 1.15, max(days) * 1.15)
        self.costs = (min(costs) / 1.25, max(costs) * 1.25)

    def x(self, days: float) -> float:
        """Return the place of a number of days."""
        low, high = self.days
        return self.left + self.width * math.log(days / low) / math.log(high / low)

    def y(self, cost: float) -> float:
        """Return the place of a cost."""
        low, high = self.costs
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(cost / low) / math.log(high / low)

    def svg(self) -> list[str]:
        """Return the chart as SVG elements."""
        right, base = self.left + self.width, HEIGHT - BOTTOM
        parts = [f'<text x="{self.left}" y="{TOP - 14}" font-weight="600">{self.title}</text>']
        for tick in TICKS:
            if self.days[0] <= tick <= self.days[1] and int(f"{tick:e}"[0]) in SPARSE:
                x = self.x(tick)
                parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{base}" stroke="#ddd"/>')
                parts.append(f'<text x="{x:.1f}" y="{base + 18}" text-anchor="middle">{tick:g}</text>')
            if self.costs[0] <= tick <= self.costs[1]:
                y = self.y(tick)
                parts.append(f'<line x1="{self.left}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
                parts.append(f'<text x="{self.left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
        parts.append(f'<text x="{self.left + self.width / 2:.0f}" y="{base + 40}" text-anchor="middle">days</text>')
        for system, curve in self.curves.items():
            path = " ".join(f"{self.x(days):.1f},{self.y(cost):.1f}" for days, cost in curve)
            style = f'stroke="{COLOURS[system]}" stroke-dasharray="{DASHES[system]}" stroke-width="2.5" fill="none"'
            parts.append(f'<polyline points="{path}" {style}/>')
            days, cost = curve[len(curve) // 2]
            spot = f'x="{self.x(days) + 8:.1f}" y="{self.y(cost) - 8:.1f}"'
            parts.append(f'<text {spot} fill="{COLOURS[system]}">{system}</text>')
        return parts


def main(run: str, target: str) -> None:
    """Write the picture of a run to a file."""
    points: dict[str, dict[str, list[tuple[float, float]]]] = {}
    with open_run(run).duckdb() as connection:
        for workload, system, days, cost in connection.sql(QUERY).fetchall():
            points.setdefault(workload, {}).setdefault(system, []).append((days, cost))
    panels = []
    for place, (workload, systems) in enumerate(sorted(points.items(), reverse=True)):
        curves = {system: frontier(found) for system, found in sorted(systems.items())}
        left = LEFT + place * ((WIDTH - LEFT - GAP - 20) / 2 + GAP)
        panels += Panel(left, workload, curves).svg()
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13" fill="#222"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    )
    what = "Cost of one training run [million USD] by the days it may take"
    title = f"{what}; systems as sold, each at home, 0.056 USD/kWh (log scales)"
    text = [head, f'<text x="16" y="24" font-size="15">{title}</text>', *panels, "</svg>"]
    Path(target).write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
