"""The JSON Schema of a study file, made from its typed grammar and the quantity table: editors check by it.

``python -m sweep.schema`` writes it anew; a test compares the stored one with this.
"""

from __future__ import annotations

import json
from typing import Any

from models.quantities import Quantity, quantities
from sweep.paths import schema_file
from sweep.study.grammar import StudyFile

SECTIONS = ("levers", "scenarios")


def study_schema() -> dict[str, Any]:
    """Return the JSON Schema of a study file."""
    schema: dict[str, Any] = _any_of(StudyFile.model_json_schema(by_alias=True))
    definitions, properties = schema["$defs"], schema["properties"]
    definitions["Entry"] = _with_named_groups(properties["levers"]["additionalProperties"])
    for holder in (properties, definitions["SubSweep"]["properties"]):
        for section in SECTIONS:
            _name_quantities(holder[section], "Entry")
    _name_quantities(definitions["Sample"]["properties"]["over"], "Interval")
    listed = properties["workload"]
    properties["workload"] = {"anyOf": [listed["items"], listed], "title": listed["title"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def schema_text() -> str:
    """Return the schema as it is stored among the configs."""
    return json.dumps(study_schema(), indent=2, ensure_ascii=False) + "\n"


def _any_of(node: Any) -> Any:
    """Return a schema whose alternatives may overlap: a mapping of values also looks like a group to a validator."""
    if isinstance(node, dict):
        return {("anyOf" if key == "oneOf" else key): _any_of(value) for key, value in node.items()}
    return [_any_of(item) for item in node] if isinstance(node, list) else node


def _with_named_groups(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an entry in which a group holds quantities only, so that a range is never taken for one."""
    names = {"propertyNames": {"enum": [name for name, row in quantities().items() if row.is_input]}}

    def named(branch: dict[str, Any]) -> dict[str, Any]:
        if branch.get("type") == "object":
            return branch | names
        return branch | {"items": named(branch["items"])} if branch.get("type") == "array" else branch

    return entry | {"anyOf": [named(branch) for branch in entry["anyOf"]]}


def _name_quantities(section: dict[str, Any], definition: str) -> None:
    """Offer every input quantity as a key with its description; the names of systems stay allowed."""
    entry = {"$ref": f"#/$defs/{definition}"}
    section["additionalProperties"] = entry
    section["properties"] = {
        name: {"description": _described(row), **entry} for name, row in quantities().items() if row.is_input
    }


def _described(row: Quantity) -> str:
    unit = f" [{row.unit}]" if row.unit else ""
    default = f" Default: {row.default}." if row.default is not None else ""
    return f"{row.description}.{unit}{default}"


if __name__ == "__main__":
    schema_file().write_text(schema_text(), encoding="utf-8")
