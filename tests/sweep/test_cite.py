"""Citations: addresses recognised, each source once, keys that stay, BibTeX that parses."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sweep.catalogue import KINDS, Catalogue
from sweep.cite import Citation, bibtex, collect
from sweep.cite.sources import identified, key_of, words_about
from sweep.cli.app import cli
from sweep.engine import run
from sweep.study import open_study

Entry = tuple[str, str, dict[str, str]]


def row(source: str, **fields: str) -> dict[str, str]:
    given = {
        "fact": "tdp",
        "source": source,
        "date": "2025-04",
        "confidence": "paper",
        "entry": "b200",
        "kind": "chips",
    }
    return given | fields


def parsed(text: str) -> list[Entry]:
    """Parse BibTeX strictly: entries ``@type{key, name = {value}, ...}``, braces balanced, nothing between entries.

    A backslash escapes the next character, as in TeX.
    """
    entries, place = [], 0
    while place < len(text.rstrip()):
        head = re.compile(r"\s*@(\w+)\{([A-Za-z0-9.:-]+),\n").match(text, place)
        assert head, text[place : place + 60]
        fields, place = {}, head.end()
        while not text.startswith("}", place):
            name = re.compile(r"  ([a-z]+) = \{").match(text, place)
            assert name, text[place : place + 60]
            end = closing(text, name.end())
            assert name[1] not in fields
            fields[name[1]] = text[name.end() : end]
            rest = re.compile(r"\},?\n").match(text, end)
            assert rest, text[end : end + 20]
            place = rest.end()
        entries.append((head[1], head[2], fields))
        place += 1
    return entries


def closing(text: str, place: int) -> int:
    depth = 1
    while True:
        character = text[place]
        if character == "\\":
            place += 1
        elif character in "{}":
            depth += 1 if character == "{" else -1
            if depth == 0:
                return place
        place += 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://arxiv.org/abs/2506.12708", [("arxiv", "2506.12708")]),
        ("arXiv:2506.12708v2, table 3", [("arxiv", "2506.12708")]),
        ("https://arxiv.org/pdf/2405.21015v1.pdf", [("arxiv", "2405.21015")]),
        ("Al-Fares et al. 2008, doi:10.1145/1402958.1402967.", [("doi", "10.1145/1402958.1402967")]),
        ("https://doi.org/10.1145/1402958.1402967", [("doi", "10.1145/1402958.1402967")]),
        ("see (https://epoch.ai/data/).", [("url", "https://epoch.ai/data")]),
        ("https://en.wikipedia.org/wiki/Ascend_(chip)", [("url", "https://en.wikipedia.org/wiki/Ascend_(chip)")]),
        (
            "https://github.com/a/b @263c40a1; https://arxiv.org/abs/2405.21015",
            [("arxiv", "2405.21015"), ("url", "https://github.com/a/b")],
        ),
        ("Nvidia SN5600 data sheet", []),
    ],
)
def test_addresses_in_a_source_text(text: str, expected: list[tuple[str, str]]) -> None:
    assert [*identified(text)] == expected


def test_one_paper_under_three_spellings_is_one_citation() -> None:
    texts = ["https://arxiv.org/abs/2506.12708", "arXiv:2506.12708v2, table 3", "https://arxiv.org/pdf/2506.12708"]
    found = collect(row(text, fact=f"fact{place}") for place, text in enumerate(texts)).citations
    assert [each.key for each in found] == ["arxiv:2506.12708"]
    assert found[0].facts == ("b200.fact0", "b200.fact1", "b200.fact2")
    assert (found[0].year, found[0].unverified) == ("2025", False)


def test_what_was_made_here_or_assumed_is_no_citation() -> None:
    rows = [
        row("derived from other facts of this entry", confidence="derived"),
        row("the study", kind="study", confidence=""),
        row("", confidence="not_found"),
        row("no source gives the power of an interface", confidence="assumption"),
    ]
    found = collect(rows)
    assert found.citations == ()
    assert found.own == ("b200.tdp",)


@pytest.mark.parametrize(
    ("given_row", "unverified"),
    [
        (row("Nvidia SN5600 data sheet, address not recorded", confidence="unverified"), True),
        (row("podcast transcript", confidence="community"), True),
        (row("https://example.org/x", confidence="unverified"), True),
        (row("https://example.org/x", confidence="press"), False),
    ],
)
def test_sources_without_a_recorded_address_are_marked(given_row: dict[str, str], unverified: bool) -> None:
    found = collect([given_row]).citations
    assert [each.unverified for each in found] == [unverified]
    note = parsed(bibtex(found))[0][2]["note"]
    assert note.startswith("unverified") == unverified


def test_keys_depend_on_the_address_alone_and_stay() -> None:
    """The keys of a paper written last year must be those of this year."""
    assert key_of("arxiv", "2506.12708") == "arxiv:2506.12708"
    assert key_of("doi", "10.1145/1402958.1402967") == "doi:10.1145-1402958.1402967"
    assert key_of("url", "https://www.nvidia.com/en-us/data-center/h100") == "nvidia.com:cd2d9aac"
    many = collect([row("https://www.nvidia.com/en-us/data-center/h100/"), row("https://epoch.ai/x")]).citations
    alone = collect([row("https://www.nvidia.com/en-us/data-center/h100", fact="other", date="2020")]).citations
    assert alone[0].key in {each.key for each in many}


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1), max_size=5))
def test_bibtex_parses_whatever_the_source_says(texts: list[str]) -> None:
    found = collect(row(text) for text in texts).citations
    entries = parsed(bibtex(found))
    assert [key for _, key, _ in entries] == [each.key for each in found]
    assert all(kind == "misc" and fields["title"].startswith("{") for kind, _, fields in entries)


def test_special_characters_are_written_out() -> None:
    citation = Citation("text:1", "text", "50 % of $5 & {a_b} #1 ^~\\", "", "2025", (), True, (), ("a.b",))
    title = parsed(bibtex([citation]))[0][2]["title"]
    plain = r"50 \% of \$5 \& \{a\_b\} \#1 \textasciicircum{}\textasciitilde{}\textbackslash{}"
    assert title == f"{{{plain}}}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    results = tmp_path_factory.mktemp("results")
    file = Path(__file__).parents[2] / "configs" / "claims" / "runs" / "one-cloudmatrix384.yaml"
    study, catalogue = open_study(file)
    return str(run(study, catalogue, results, in_process=True).run.location)


def cite(folder: str, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["-q", "cite", folder, *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_run_cites_the_sources_of_its_facts_in_three_forms(folder: str) -> None:
    entries = {key: fields for _, key, fields in parsed(cite(folder))}
    assert entries["arxiv:2506.12708"]["eprint"] == "2506.12708"
    found = json.loads(cite(folder, "--json"))
    assert {each["key"] for each in found["citations"]} == set(entries)
    rows = [*csv.DictReader(io.StringIO(cite(folder, "--format", "csv")))]
    assert {each["key"] for each in rows} == set(entries)
    paper = next(each for each in found["citations"] if each["key"] == "arxiv:2506.12708")
    assert "ascend-910c.hbm_bandwidth" in paper["facts"]
    assert "cloudmatrix384.chip_price" in found["own"]


def test_every_fact_of_the_run_is_cited_or_made_here(folder: str) -> None:
    found = json.loads(cite(folder, "--json"))
    listed = {fact for each in found["citations"] for fact in each["facts"]} | set(found["own"])
    with (Path(folder) / "sources.csv").open(encoding="utf-8", newline="") as file:
        assert listed == {f"{each['entry']}.{each['fact']}" for each in csv.DictReader(file)}


def test_no_run_is_one_sentence() -> None:
    result = CliRunner().invoke(cli, ["cite", "no-such-run"])
    assert result.exit_code == 2
    assert "no run has this name" in result.output


TABLE = "https://arxiv.org/abs/2407.21783 Table 5 (Llama 3 405B: 419 unexpected interruptions, 16,384 H100, 54 days)"


def test_a_place_in_a_paper_is_no_title_of_it() -> None:
    (found,) = collect([row(TABLE), row("https://arxiv.org/abs/2407.21783", fact="other")]).citations
    fields = parsed(bibtex([found]))[0][2]
    assert fields["title"] == "{arXiv:2407.21783}"
    assert found.places == ("Table 5 (Llama 3 405B: 419 unexpected interruptions, 16,384 H100, 54 days)",)
    assert fields["note"].startswith("Table 5 (Llama 3 405B: 419 unexpected interruptions, 16,384 H100, 54 days); used")


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("Financial Times, 2024-02, quoted by https://evertiq.com/design/55188", "Financial Times, 2024-02", ""),
        (
            "Eric Xu, keynote at Huawei Connect, 2025-09-18 (full text at https://afnnews.qaasid.com/?p=196304)",
            "Eric Xu, keynote at Huawei Connect, 2025-09-18",
            "",
        ),
        ("https://a.org/x, 384 x 38,750 USD (servers)", "", "384 x 38,750 USD (servers)"),
        ("384 x 38,750 USD, chips in servers: https://a.org/x", "", ""),
        ("transfer rule of docs/kernels.md, from https://a.org/x", "", ""),
        ("doi:10.1145/1402958.1402967 (Table 3", "", "Table 3"),
        ("https://a.org/x (Table 4)", "", "Table 4"),
        ("https://a.org/x and https://b.org/y Table 4", "", ""),
    ],
)
def test_words_before_an_address_name_it_and_words_after_it_are_a_place(text: str, name: str, place: str) -> None:
    found = words_about(text)
    assert (found.name, found.place) == (name, place)


def catalogue_rows() -> list[dict[str, str]]:
    """Every fact and alternative of the catalogue as a row of sources."""
    known = Catalogue.load()
    rows = []
    for kind in KINDS:
        for name in known.names(kind):
            entry = known.entry(kind, name)
            for table in (entry.facts, entry.published, *entry.sections.values()):
                for key, fact in table.items():
                    for each in (fact, *fact.alternatives):
                        given = {"fact": key, "date": each.date, "confidence": each.confidence, "entry": name}
                        rows.append(row(each.source, **given, kind=kind))
    return rows


def test_titles_of_the_whole_catalogue_have_their_brackets_and_are_no_work_of_this_project() -> None:
    found = collect(catalogue_rows())
    for _, key, fields in parsed(bibtex(found.citations)):
        assert fields["title"].count("(") == fields["title"].count(")"), (key, fields["title"])
    titles = [each.name or each.identifier for each in found.citations]
    made_here = ("in this project", "vendor and maker", "fat trees are", "usd of a 400", "as in ", "transfer rule")
    assert not [title for title in titles if any(words in title.lower() for words in made_here)]
    assert not [each.name for each in found.citations if each.kind == "arxiv" and each.name.startswith("Table")]
