"""The published ratio table, row by row, and the page that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.catalogue import Catalogue
from sweep.claims.page import PAGE, main, page_now
from sweep.claims.ratios import RatioFound, follows, ratios
from sweep.claims.read import Row
from sweep.claims.text import not_following
from sweep.claims.values import Values

DOCS = Path(__file__).parents[2] / "docs"
FOUND = {each.row.row: each for each in ratios(Values(Catalogue.load()))}

# SemiAnalysis, 2025-04-16: the ratios it prints, as printed.
PRINTED = {
    "chip bf16 dense": "0.3",
    "chips per system": "5.3",
    "system bf16 dense": "1.7",
    "HBM capacity": "3.6",
    "HBM bandwidth": "2.1",
    "scale-up bandwidth (unidirectional sum)": "2.1",
    "scale-out bandwidth per system": "5.3",
    "power": "3.9",
    "power per bf16 FLOP": "2.3",
    "power per HBM bandwidth": "1.8",
    "power per HBM capacity": "1.1",
    "scale-up network cost per chip": "1.15",
    "scale-up network power per chip": "2.1",
    "price": "2.7",
    "racks": "16",
}


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_every_row_of_the_table_reproduces_what_is_printed(name: str) -> None:
    found, decimals = FOUND[name], len(PRINTED[name].partition(".")[2])
    assert f"{found.recomputed:.{decimals}f}" == PRINTED[name]
    assert found.follows


def test_two_rows_do_not_follow_from_their_own_inputs() -> None:
    """180/145 over 300/559.4 is 2.3, not the headline's 2.6; more than 10 over 5.33 is more than 1.9, not 1.7."""
    wrong = [name for name, found in FOUND.items() if found.follows is False]
    assert wrong == [
        "bf16 FLOP per watt, headline (NVL72 over CloudMatrix 384)",
        "scale-up network power per chip, revision (from the ratio of the systems)",
    ]
    assert FOUND[wrong[0]].recomputed == pytest.approx(2.315, abs=1e-3)
    assert FOUND[wrong[1]].recomputed == pytest.approx(1.875)
    sentence = not_following(tuple(FOUND.values()))
    assert sentence.startswith("2 of 22 printed ratios")
    assert all(name in sentence for name in wrong)


@pytest.mark.parametrize(
    ("name", "ours"),
    [("system bf16 dense", 1.510), ("HBM capacity", 3.670), ("power per bf16 FLOP", 2.555), ("price", 2.645)],
)
def test_the_catalogue_has_its_own_ratio_beside_the_printed_one(name: str, ours: float) -> None:
    """707.8 TFLOP/s, 186 GB and 3.1 MUSD instead of 780, 192 and 3.0."""
    assert FOUND[name].ours == pytest.approx(ours, abs=1e-3)


@pytest.mark.parametrize(
    ("printed", "decimals", "bound", "recomputed", "expected"),
    [
        (2.3, 1, False, 2.2501, True),
        (2.3, 1, False, 2.3499, True),
        (2.3, 1, False, 2.36, False),
        (16, 0, False, 16.4, True),
        (1.9, 1, True, 1.875, True),
        (2.5, 1, True, 1.875, True),
        (1.7, 1, True, 1.875, False),
        (None, 1, False, 1.0, None),
    ],
)
def test_what_follows(
    printed: float | None, decimals: int, bound: bool, recomputed: float, expected: bool | None
) -> None:
    row = Row(row="x", first=1, second=1, unit="", printed=printed, decimals=decimals, bound=bound, source="x")
    assert follows(row, recomputed) is expected


def test_a_table_without_faults_says_so() -> None:
    row = Row(row="x", first=2, second=1, unit="", printed=2, source="x")
    assert not_following([RatioFound(row, 2.0, True, None)]).startswith("all 1 printed ratios follow")


def test_the_page_is_what_the_claims_say_now() -> None:
    page = (DOCS / PAGE).read_text(encoding="utf-8")
    assert page == page_now(), "write it anew with: python -m sweep.claims.page"
    assert page.splitlines()[4].startswith("What the articles say of the size")


def test_the_check_names_a_page_out_of_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.claims.page.page_now", lambda: "# Page\n")
    assert main([str(tmp_path), "--check"]) == 1
    assert "python -m sweep.claims.page" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--check"]) == 0
