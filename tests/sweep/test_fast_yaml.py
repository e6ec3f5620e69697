"""The fast reader must not be told from the full one, on good files and on bad ones."""

from __future__ import annotations

import pytest

from sweep.catalogue import fast_yaml
from sweep.errors import StudyError
from sweep.paths import configs_dir
from sweep.yaml_source import read_yaml

# A quarter of the files, every kind among them: the full reader is slow.
FILES = sorted(configs_dir().glob("*/*.yaml"))[::4]

SNIPPETS = [
    "a: 1\nb: -2.5\nc: 8.2e6\nd: 989e12\n",
    "a: 1_000\nb: 0x1F\nc: 0o17\nd: 010\ne: +3\nf: 1.\ng: .5\n",
    "a: 2025-04-16\nb: 2025-04\nc: 2025-04-16T10:00:00Z\nd: 12:30:45\ne: 1.2.3\n",
    "a: null\nb: ~\nc:\nd: 'null'\ne: Null\nf: NULL\n",
    "a: true\nb: True\nc: yes\nd: NO\ne: on\nf: y\n",
    "a: .inf\nb: 1\n",
    "a: .nan\n",
    "a: 1e999\n",
    "a: 7 nm class\nb: 3-5\nc: -\nd: a#b\n",
    "a: [1, two, {b: 3}]\nb:\n- x\n-\n  - y\n",
    "a: &x 1\nb: *x\n",
    "a: !!str 1\n",
    "a: 1\na: 2\n",
    "a: {b: 1, b: 2}\n",
    "? [1, 2]\n: 3\n",
    "- 1\n",
    "",
    "a: 1\n---\nb: 2\n",
    "a: 'open\n",
    "a: b: c\n",
    "a: |\n  two\n  lines\nb: >-\n  folded\n  text\n",
    "<<: {a: 1}\n",
    "# only a comment\n",
    "1: number key\ntrue: word key\n",
    "a: \ttab\n",
    "%YAML 1.1\n---\na: yes\n",
    "%TAG ! tag:x,2000:\n---\na: 1\n",
    "---\na: 1\n...\n",
    "a: é 万\n",
]


def outcome(read, path):
    try:
        source = read(path)
        return repr(source.data), dict(source.lines)  # repr tells 1 from 1.0 and from True
    except StudyError as error:
        return str(error)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_catalogue_file_reads_the_same(path):
    assert outcome(fast_yaml.read, path) == outcome(read_yaml, path)


def test_catalogue_files_do_not_need_the_full_reader(monkeypatch):
    def refuse(path):
        raise AssertionError(path)

    if fast_yaml.CParser is None:
        pytest.fail("PyYAML without libyaml: the catalogue loads slowly here")
    monkeypatch.setattr(fast_yaml, "read_yaml", refuse)
    for path in FILES:
        fast_yaml.read(path)


@pytest.mark.parametrize("text", SNIPPETS)
def test_odd_text_reads_or_fails_the_same(text, tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    assert outcome(fast_yaml.read, path) == outcome(read_yaml, path)


def test_works_without_libyaml(tmp_path, monkeypatch):
    path = tmp_path / "plain.yaml"
    path.write_text("a: 1\n", encoding="utf-8")
    monkeypatch.setattr(fast_yaml, "CParser", None)
    assert fast_yaml.read(path).data == {"a": 1}


def test_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(StudyError, match="cannot be read"):
        fast_yaml.read(tmp_path / "none.yaml")
