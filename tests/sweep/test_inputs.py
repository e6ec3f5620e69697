from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_files import SMALL, catalogue, changed, load_text

from models.evaluate import evaluate
from models.inputs import ModelInputError
from models.quantities import quantities
from sweep.catalogue import Catalogue
from sweep.engine.cells import cells
from sweep.errors import StudyError
from sweep.inputs import Inputs, inputs_with_origins
from sweep.space import Chunks
from sweep.study import Study, open_study
from sweep.units import factor

FACTS = {
    "chips/toy.yaml": "title: Toy\nvendor: Toy\nfacts:\n{peak_bf16}{chip_power}",
    "fabrics/toy-up.yaml": "title: Toy\ntier: scale_up\nfacts:\n{scale_up_bandwidth}",
    "fabrics/toy-out.yaml": "title: Toy\ntier: scale_out\nfacts:\n{scale_out_bandwidth}",
    "systems/toy.yaml": "title: Toy\nvendor: Toy\nchip: toy\nscale_up: toy-up\nscale_out: toy-out\n"
    "home_region: toy-home\nfacts:\n{scale_up_size}{system_price}{chip_price}",
    "regions/toy-home.yaml": "title: Home\ncountry: CN\nfacts:\n{power_price}{power_usage_effectiveness}",
    "regions/toy-away.yaml": "title: Away\ncountry: US\nfacts:\n{power_price_away}",
}
SOURCE = 'source: s, date: "2025", confidence: paper'
VALUES = {
    "peak_bf16": ("peak_bf16", f"{{value: 500, unit: TFLOP/s, {SOURCE}}}"),
    "chip_power": ("chip_power", "{value: null, unit: W, confidence: not_found, note: nobody says}"),
    "scale_up_bandwidth": ("scale_up_bandwidth", f"{{value: 100, unit: GB/s, {SOURCE}}}"),
    "scale_out_bandwidth": ("scale_out_bandwidth", f"{{value: 50, unit: GB/s, {SOURCE}}}"),
    "scale_up_size": ("scale_up_size", f"{{value: 8, {SOURCE}}}"),
    "system_price": ("system_price", f"{{value: 80e3, unit: USD, currency_year: 2025, {SOURCE}}}"),
    "chip_price": ("chip_price", f"{{formula: system_price / scale_up_size - 100 USD, unit: USD, {SOURCE}}}"),
    "power_price": ("power_price", f"{{value: 0.05, unit: USD/kWh, currency_year: 2025, {SOURCE}}}"),
    "power_usage_effectiveness": ("power_usage_effectiveness", f"{{value: 1.2, {SOURCE}}}"),
    "power_price_away": ("power_price", f"{{value: 0.1, unit: USD/kWh, currency_year: 2025, {SOURCE}}}"),
}
STUDY = """\
study: toy
workload: {train: gpt3-175b, tokens: 3e11, precision: bf16}
levers:
  system: toy
  domains: [4]
scenarios:
  region: [own, toy-away]
"""


def toy(folder: Path, *, extra: str = "", facts: dict[str, str] | None = None) -> tuple[Study, Catalogue]:
    """Return a study of a toy system and its catalogue, on top of the one of the repository."""
    values = {key: f"  {name}: {(facts or {}).get(key, fact)}\n" for key, (name, fact) in VALUES.items()}
    for name, text in FACTS.items():
        path = folder / "facts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**values))
    path = folder / "study.yaml"
    path.write_text(STUDY + extra)
    return open_study(path, catalogue_dirs=[folder / "facts"])


def first_inputs(study: Study, found: Catalogue) -> Inputs:
    """Return the inputs of the first cell."""
    cell = next(iter(cells(Chunks(study.space, 10**6)[0])))
    return inputs_with_origins(study, found, cell.structural, cell.mesh, cell.times)


def toy_values(folder: Path, **kwargs: Any) -> dict[str, Any]:
    """Return the inputs of the first cell of the toy study."""
    return dict(first_inputs(*toy(folder, **kwargs)).values)


def test_facts_come_in_si(tmp_path: Path) -> None:
    values = toy_values(tmp_path)
    assert values["peak_bf16"] == 500e12
    assert values["scale_up_bandwidth"] == 100e9
    assert values["training_tokens"] == 3e11
    assert values["domains"] == 4
    assert isinstance(values["domains"], int)
    assert values["precision"] == "bf16"


def test_the_region_axis_turns_its_facts_into_arrays_along_it(tmp_path: Path) -> None:
    values = toy_values(tmp_path)
    assert values["power_price"].size == 2
    np.testing.assert_allclose(values["power_price"].reshape(-1) * 3.6e6, [0.05, 0.1], rtol=1e-12)
    default = first_inputs(*toy(tmp_path, extra="facts: {}\n")).values["power_usage_effectiveness"].reshape(-1)
    assert default[0] == 1.2
    assert default[1] != 1.2  # the other place has no figure: the catalogue's default


def test_an_axis_value_stands_in_place_of_the_regions(tmp_path: Path) -> None:
    values = toy_values(tmp_path, extra="  power_price: [0.2 USD/kWh]\n")
    assert values["power_price"].reshape(-1).tolist() == pytest.approx([0.2 / 3.6e6])
    assert values["power_usage_effectiveness"].size == 2


def test_the_country_follows_the_region(tmp_path: Path) -> None:
    study, found = toy(tmp_path)
    country = first_inputs(study, found).values["buyer_country"]
    assert country.reshape(-1).tolist() == ["CN", "US"]  # at home, away
    assert country.shape == first_inputs(study, found).values["power_price"].shape
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace("[own, toy-away]", "own"))
    study, found = open_study(path, catalogue_dirs=[tmp_path / "facts"])
    assert first_inputs(study, found).values["buyer_country"] == "CN"


def test_a_country_of_the_study_stands_in_place_of_the_regions(tmp_path: Path) -> None:
    assert toy_values(tmp_path, extra="facts: {buyer_country: AE}\n")["buyer_country"] == "AE"
    assert toy_values(tmp_path, extra="  buyer_country: DE\n")["buyer_country"] == "DE"
    listed = toy_values(tmp_path, extra="  buyer_country: [DE, AE, US]\n")["buyer_country"]
    assert listed.reshape(-1).tolist() == ["DE", "AE", "US"]
    assert np.broadcast(listed, toy_values(tmp_path)["power_price"].reshape(-1, 1, 1)).size == 6


def test_a_formula_fact_uses_what_the_study_replaces(tmp_path: Path) -> None:
    assert toy_values(tmp_path)["chip_price"] == pytest.approx(80e3 / 8 - 100)
    assert toy_values(tmp_path, extra="facts: {toy: {system_price: 160e3 USD}}\n")["chip_price"] == 160e3 / 8 - 100


def test_an_absolute_value_replaces_a_formula_and_a_multiplier_scales_it(tmp_path: Path) -> None:
    assert toy_values(tmp_path, extra="  chip_price: [7000 USD]\n")["chip_price"].item() == 7000
    scaled = toy_values(tmp_path, extra="  chip_price: {times: [0.5, 2]}\n")["chip_price"].reshape(-1)
    np.testing.assert_allclose(scaled, [0.5 * 9900, 2 * 9900])


def test_a_multiplier_of_something_a_formula_needs_comes_after_the_formula(tmp_path: Path) -> None:
    values = toy_values(tmp_path, extra="  system_price: {times: [2]}\n")
    assert values["chip_price"] == pytest.approx(9900)  # the published price made it, not the multiplied one


def test_study_facts_for_one_system_win_over_those_for_all(tmp_path: Path) -> None:
    extra = "facts: {toy: {wacc: 0.3}, wacc: 0.2, gb200-nvl72: {wacc: 0.1}}\n"
    assert toy_values(tmp_path, extra=extra)["wacc"] == 0.3


def test_derived_inputs_come_last(tmp_path: Path) -> None:
    extra = "  chip_price: {times: [2]}\nderive: {nic_price: chip_price / 10, chips: domains * scale_up_size}\n"
    values = toy_values(tmp_path, extra=extra)
    assert values["nic_price"].reshape(-1).tolist() == pytest.approx([2 * 9900 / 10])
    assert values["chips"] == 32


def test_an_unknown_fact_is_absent_and_its_absence_has_an_origin(tmp_path: Path) -> None:
    inputs = first_inputs(*toy(tmp_path))
    assert "chip_power" not in inputs.values
    assert inputs.origins["chip_power"].kind == "unknown"
    assert inputs.origins["chip_power"].where == f"{tmp_path}/facts/chips/toy.yaml:5"


def test_a_formula_over_something_unknown_is_unknown(tmp_path: Path) -> None:
    unknown = "{value: null, unit: USD, confidence: not_found, note: secret}"
    assert np.isnan(toy_values(tmp_path, facts={"system_price": unknown})["chip_price"])


def test_what_the_model_cannot_do_without_is_named_with_system_and_place(tmp_path: Path) -> None:
    unknown = "{value: null, unit: GB/s, confidence: not_found, note: nobody measured it}"
    inputs = first_inputs(*toy(tmp_path, facts={"scale_up_bandwidth": unknown}))
    with pytest.raises(ModelInputError) as caught:
        evaluate(inputs.values)
    problem = inputs.error(ModelInputError("scale_up_bandwidth", "scale_up_bandwidth is not known")).problems[0]
    assert isinstance(caught.value, ModelInputError)
    assert "system toy" in problem.message
    assert "nobody measured it" in problem.message
    assert "facts: {toy: {scale_up_bandwidth: ...}}" in problem.message
    assert problem.where == f"{tmp_path}/facts/fabrics/toy-up.yaml:4"


def test_origins_say_which_source_decided(tmp_path: Path) -> None:
    extra = (
        "  chip_price: {times: [2]}\n  wacc: 0.05\nfacts: {nic_price: 3 USD}\nderive: {nic_power: chips * 1 W / 32}\n"
    )
    study, found = toy(tmp_path, extra=extra.replace("chips * 1 W / 32", "domains * 1 W"))
    origins = first_inputs(study, found).origins
    kinds = {name: origins[name].kind for name in ("peak_bf16", "chip_price", "wacc", "nic_price", "nic_power")}
    assert kinds == {"peak_bf16": "fact", "chip_price": "times", "wacc": "axis", "nic_price": "study",
                     "nic_power": "derive"}  # fmt: skip
    assert origins["chip_price"].facts[0].entry == "toy"
    assert origins["nic_power"].text == "domains * 1 W"
    assert origins["wacc"].where == f"{tmp_path}/study.yaml:9"
    assert origins["dies"].kind in {"default", "fact"}


def test_a_model_without_a_shape_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "facts" / "workloads"
    folder.mkdir(parents=True)
    (folder / "cloud.yaml").write_text("title: Cloud\nshape: null\nnotes: no shape was published\n")
    study, found = toy(tmp_path)
    scalars = {**study.space.design(0), "workload": "cloud"}
    with pytest.raises(StudyError, match="cloud has no known shape"):
        inputs_with_origins(study, found, scalars, {})


def test_a_tile_gives_the_same_inputs_as_the_whole(tmp_path: Path) -> None:
    study = load_text(tmp_path, SMALL)
    chunk = Chunks(study.space, 10**6)[0]
    whole = next(iter(cells(chunk)))
    big = inputs_with_origins(study, catalogue(), whole.structural, whole.mesh, whole.times).values
    for small in cells(chunk, most=4):
        part = inputs_with_origins(study, catalogue(), small.structural, small.mesh, small.times).values
        if small.structural == whole.structural:
            assert set(np.ravel(part["power_price"])) <= set(np.ravel(big["power_price"]))
            assert set(np.ravel(part["scale_up_bandwidth"])) <= set(np.ravel(big["scale_up_bandwidth"]))


def test_every_number_of_a_design_is_what_the_study_says(tmp_path: Path) -> None:
    study = load_text(tmp_path, changed("region: [own, us-texas]", "region: us-texas"))
    for cell in cells(Chunks(study.space, 10**6)[1], most=1):
        values = inputs_with_origins(study, catalogue(), cell.structural, cell.mesh, cell.times).values
        for name, given in {**cell.structural, **cell.mesh}.items():
            row = quantities()[name]
            if row.dtype != "text" and name not in cell.times:
                expected = np.float64(given) * factor(row.unit, row.si_unit)
                assert np.ravel(values[name]) == pytest.approx(np.ravel(expected), rel=1e-15)


LEAVES = "system_price of 400 USD leaves -50 USD for chip_price of toy, which must be at least 0;"


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            "facts: {system_price: 400 USD}\n",
            f"study.yaml:8: {LEAVES} give system_price at least 800 USD",
        ),
        (
            "  system_price: 400 USD\n",
            f"study.yaml:8: {LEAVES} give system_price at least 800 USD",
        ),
        (
            "derive: {utilisation: 1.2 * power_usage_effectiveness}\n",
            "study.yaml:8: 1.2 * power_usage_effectiveness leaves 1.44 for utilisation of toy, which must be",
        ),
        (
            "  staff_multiplier: 2\nderive: {utilisation: 3 - staff_multiplier ** 2}\n",
            "study.yaml:8: staff_multiplier of 2 leaves -1 for utilisation of toy, which must be",
        ),
    ],
)
def test_constants_from_which_something_impossible_follows_are_a_fault(tmp_path: Path, extra: str, said: str) -> None:
    with pytest.raises(StudyError) as fault:
        toy(tmp_path, extra=extra)
    (problem,) = fault.value.problems
    assert said in str(problem)


def test_the_limit_that_a_fault_names_is_one_that_is_allowed(tmp_path: Path) -> None:
    study, found = toy(tmp_path, extra="facts: {system_price: 800 USD}\n")
    assert first_inputs(study, found).values["chip_price"] == 0
    assert "impossible" not in first_inputs(study, found).values


def test_a_catalogue_whose_own_figures_cannot_be_together_is_a_fault(tmp_path: Path) -> None:
    price = f"{{formula: system_price / scale_up_size - 20000 USD, unit: USD, {SOURCE}}}"
    with pytest.raises(StudyError, match=r"toy\.yaml:\d+: system_price .* leaves -10,000 USD for chip_price of toy"):
        toy(tmp_path, facts={"chip_price": price})


@pytest.mark.parametrize(
    ("extra", "broken"),
    [
        ("  system_price: {values: [400, 800, 4000], unit: USD}\n", [True, False, False]),
        ("  system_price: {times: [0.005, 0.01, 1]}\n", [False, False, False]),
        ("  chip_price: {times: [0, 0.01, 1]}\n", [False, False, False]),
        ("  utilisation: {times: [0, 1, 2]}\n", [True, False, True]),
        ("  wacc: [0.1, 0.2, 0.3]\nderive: {utilisation: 8 * wacc}\n", [False, True, True]),
    ],
)
def test_a_swept_value_from_which_something_impossible_follows_is_infeasible(
    tmp_path: Path, extra: str, broken: list[bool]
) -> None:
    study, found = toy(tmp_path, extra=extra)
    cell = next(iter(cells(Chunks(study.space, 10**6)[0])))
    impossible = inputs_with_origins(study, found, cell.structural, cell.mesh, cell.times).values.get(
        "impossible", False
    )
    rows = np.broadcast_to(impossible, cell.shape).reshape(2, -1)
    assert rows.tolist() == [broken, broken]
