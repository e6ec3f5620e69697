"""What a calibration says of the training model: the fit of its coefficients, and what a design takes for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.coefficients import Prior, priors

PRIOR_PLACE = "models/coefficients.csv"
DIGEST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Training:
    """A fit of the training model to published steps.

    ``digest`` is the SHA-256 of the data, ``rows`` the number of runs in them, ``residuals`` what the fit leaves of
    their step times (mean, median, bias as fractions). ``coefficients`` are the fitted values in the units of
    ``coefficients.csv``, ``places`` the file and line of each.
    """

    date: str
    digest: str
    rows: int
    residuals: Mapping[str, float]
    coefficients: Mapping[str, float]
    places: Mapping[str, str]

    @property
    def source(self) -> str:
        """Say what the coefficients were fitted to."""
        return f"fitted to {self.rows:,} published runs (data {self.digest[:DIGEST_SHOWN]})"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a design takes for one coefficient: the value of the fit, or the prior; ``where`` it stands."""

    name: str
    value: float
    prior: Prior
    fitted: bool
    where: str
    source: str
    date: str
    confidence: str


def taken(training: Training | None) -> tuple[Taken, ...]:
    """Return every coefficient of the training model under a fit, or under none, in the order of their table."""
    return tuple(_taken(name, prior, training) for name, prior in priors().items())


def _taken(name: str, prior: Prior, training: Training | None) -> Taken:
    if training is None or name not in training.coefficients:
        source = "prior: kernels, papers or counting"
        return Taken(name, prior.value, prior, False, PRIOR_PLACE, source, "", "assumption")  # noqa: FBT003
    value, where = training.coefficients[name], training.places[name]
    return Taken(name, value, prior, True, where, training.source, training.date, "derived")  # noqa: FBT003
