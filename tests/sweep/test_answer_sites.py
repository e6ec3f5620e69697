"""The answer of a run over several sites says what its figures leave out."""

import pytest

from sweep.answer import answer
from sweep.engine import run
from sweep.study import open_study

STUDY = """\
study: apart
question: How much longer does it take?
workload: {{train: llama-3-8b, tokens: 1e12, global_batch: 256, sequence: 4096, precision: bf16}}
levers: {{system: dgx-h100, domains: 8, sites: {sites}, outer_steps: {outer}}}
scenarios: {{site_bandwidth: 50, site_latency: 5}}
objective: {{minimize: time_to_train}}
keep: all
"""


@pytest.mark.parametrize(
    ("sites", "outer", "links", "tokens"),
    [("[1]", "[1]", False, False), ("[1, 2]", "[1]", True, False), ("[1, 2]", "[1, 10]", True, True)],
)
def test_free_links_and_free_outer_steps_are_named(tmp_path, sites, outer, links, tokens):
    (tmp_path / "study.yaml").write_text(STUDY.format(sites=sites, outer=outer))
    study, catalogue = open_study(tmp_path / "study.yaml")
    found = answer(run(study, catalogue, tmp_path / "results", in_process=True).run, study, catalogue)
    words = " ".join(found.notes)
    assert ("Links between sites are free here" in words) is links
    assert ("Outer steps cost no tokens here" in words) is tokens
