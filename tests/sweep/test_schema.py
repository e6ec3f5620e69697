from pathlib import Path

import jsonschema
import pytest
from study_files import SMALL, changed

from models.quantities import quantities
from sweep.paths import configs_dir, schema_file
from sweep.schema import schema_text, study_schema
from sweep.yaml_source import parse_yaml, read_yaml

STUDIES = sorted((configs_dir() / "studies").glob("*.yaml"))


def test_the_stored_schema_is_the_generated_one() -> None:
    assert schema_file().read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies_fit_the_schema(path: Path) -> None:
    jsonschema.Draft202012Validator(study_schema()).validate(read_yaml(path).data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("question: Which one?", "colour: blue"),
        ("study: small", "study: Big Name"),
        ("{times: [0.5, 1, 2]}", "{times: []}"),
        ("{times: [0.5, 1, 2]}", "true"),
        ("steps: 4", "steps: few"),
        ("minimize", "minimise"),
    ],
)
def test_the_schema_refuses_what_the_grammar_refuses(old: str, new: str) -> None:
    data = parse_yaml(changed(old, new), "study.yaml").data
    assert not jsonschema.Draft202012Validator(study_schema()).is_valid(data)
    assert jsonschema.Draft202012Validator(study_schema()).is_valid(parse_yaml(SMALL, "study.yaml").data)


def test_editors_are_told_every_input_with_its_unit() -> None:
    offered = study_schema()["properties"]["levers"]["properties"]
    assert set(offered) == {name for name, row in quantities().items() if row.is_input}
    assert "[GB/s]" in offered["scale_up_bandwidth"]["description"]
