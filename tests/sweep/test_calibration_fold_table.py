"""The table of fits: written and read again, its faults, and that the shipped one belongs to the data."""

import csv
from dataclasses import asdict, replace

import numpy as np
import pytest
from published_runs import catalogue, published

from models.coefficients import Coefficients, prior_coefficients, priors
from sweep.accuracy.choices import IN_SAMPLE, WITHOUT_CHIP, WITHOUT_SOURCE
from sweep.accuracy.predict import shipped_fits
from sweep.calibration.fold_table import HEADER, read_folds, write_folds
from sweep.calibration.problem import RATE_LIMIT, Fit, class_of
from sweep.calibration.steps import Fits, chips_of, fold_names
from sweep.errors import SweepError

PRIOR = prior_coefficients()
ODD = {name: value * (1.0 + 1.0 / (3.0 + place)) for place, (name, value) in enumerate(asdict(PRIOR).items())}
FITS = Fits(
    Fit(Coefficients(**ODD), {("dgx-a100", "bf16"): 0.912345678, ("dgx-h100", "fp8"): 1.02}),
    {
        (WITHOUT_SOURCE, "a, b"): Fit(PRIOR, {("dgx-a100", "bf16"): 0.7}),
        (WITHOUT_CHIP, "h100-sxm"): Fit(replace(PRIOR, router_time=1.23456789e-5), {}),
    },
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "folds.csv"
    write_folds(FITS, path)
    return path


def same(first, second):
    """Whether two fits agree to the six digits of the table."""
    coefficients = asdict(first.coefficients) == pytest.approx(asdict(second.coefficients), rel=1e-5)
    return coefficients and dict(first.rates) == pytest.approx(dict(second.rates), rel=1e-5)


class TestRoundTrip:
    def test_what_is_written_is_read(self, table):
        found = read_folds(table)
        assert same(found.full, FITS.full)
        assert set(found.folds) == set(FITS.folds)
        assert all(same(found.folds[fold], fit) for fold, fit in FITS.folds.items())

    def test_written_again_it_is_the_same_file(self, table, tmp_path):
        again = tmp_path / "again.csv"
        write_folds(read_folds(table), again)
        assert again.read_bytes() == table.read_bytes()

    def test_it_is_plain_text_with_a_row_per_constant(self, table):
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        assert tuple(rows[0]) == HEADER
        assert len(rows) == 1 + 3 * len(priors()) + 3
        assert rows[1] == [IN_SAMPLE, "", "coefficient", "product_rate", "", "1.33333"]
        assert [WITHOUT_SOURCE, "a, b", "rate", "dgx-a100", "bf16", "0.7"] in rows
        assert b"\r" not in table.read_bytes()


class TestFaults:
    def fault(self, path):
        with pytest.raises(SweepError) as caught:
            read_folds(path)
        text = str(caught.value)
        assert text.startswith(f"{path} does not hold the fits of this version: run supernode calibrate (")
        assert "\n" not in text
        return text

    def test_no_file(self, tmp_path):
        assert "No such file" in self.fault(tmp_path / "none.csv")

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            (",product_rate,", ",product_speed,", "product_speed"),
            ("in-sample,,coefficient,mixture_drift,,", "in-sample,,rate,mixture_drift,,", "mixture_drift"),
            (",1.33333", ",fast", "fast"),
            (",1.33333", "", "NoneType"),
            ("split,left_out", "split,leftout", "left_out"),
            ("in-sample", "all", IN_SAMPLE),
        ],
        ids=["unknown constant", "missing constant", "no number", "short row", "wrong column", "no full fit"],
    )
    def test_another_version(self, table, old, new, words):
        text = table.read_text(encoding="utf-8")
        assert old in text
        table.write_text(text.replace(old, new), encoding="utf-8")
        assert words in self.fault(table)

    def test_an_empty_file(self, tmp_path):
        (tmp_path / "empty.csv").touch()
        self.fault(tmp_path / "empty.csv")


@pytest.fixture(scope="module")
def fits():
    return shipped_fits()


@pytest.fixture(scope="module")
def mapped():
    return [case for case in published().values() if not case.searched]


@pytest.fixture(scope="module")
def left(mapped):
    """Return for every run which folds leave it out."""
    chips = chips_of(mapped, catalogue())
    return [set(fold_names(case, chips).items()) for case in mapped]


class TestShipped:
    """The table that comes with the program; when one of these fails, run supernode calibrate again."""

    def test_one_fold_for_every_family_and_chip_of_the_data(self, fits, left):
        assert set(fits.folds) == set.union(*left)

    def test_every_constant_lies_within_its_bounds(self, fits):
        for fit in (fits.full, *fits.folds.values()):
            for name, prior in priors().items():
                value = getattr(fit.coefficients, name)
                assert prior.minimum * (1 - 1e-5) <= value <= prior.maximum * (1 + 1e-5), name

    def test_every_class_of_the_data_has_a_rate_within_its_bounds(self, fits, mapped):
        classes = {class_of(case) for case in mapped}
        assert set(fits.full.rates) == classes
        for fit in (fits.full, *fits.folds.values()):
            assert set(fit.rates) <= classes
            rates = np.asarray(list(fit.rates.values()))
            assert np.isfinite(rates).all()
            assert (np.abs(np.log(rates)) <= RATE_LIMIT + 1e-5).all()

    def test_a_fold_knows_no_rate_of_what_it_leaves_out(self, fits, mapped, left):
        """Of a class whose runs are all left out nothing is known: its rate is one."""
        found = {}
        for fold, fit in fits.folds.items():
            known = {class_of(case) for case, names in zip(mapped, left, strict=True) if fold not in names}
            found |= {(*fold, *name): rate for name, rate in fit.rates.items() if name not in known}
        assert found == pytest.approx(dict.fromkeys(found, 1.0), abs=1e-4)

    def test_folds_differ_from_the_full_fit(self, fits):
        """A family with many runs left out moves something."""
        for name in ("bloom", "llmfoundry", "mlperf", "nvidia", "vtrain"):
            assert not same(fits.folds[WITHOUT_SOURCE, name], fits.full)

    def test_the_full_fit_is_that_of_the_calibration(self, fits):
        assert asdict(fits.full.coefficients) == pytest.approx(asdict(catalogue().coefficients()), rel=1e-5)
