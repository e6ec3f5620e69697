"""The wheel and the editable install both find the shipped facts, and bring no package of a common name along."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FIND = """
import site, sys
sys.path.append({libraries!r})  # added here, so that the .pth file of this checkout's own install is not read
site.addsitedir({place!r})
from sweep.catalogue import Catalogue
from sweep.paths import configs_dir
import models
print(configs_dir())
print(models.__file__)
print(Catalogue.load().entry("systems", "cloudmatrix384").name)
for name in ("tests", "configs", "results", "benchmarks"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    print("importable by accident:", name)
"""


def built(kind: str, folder: Path) -> Path:
    """Build a wheel of this checkout without a network."""
    code = f"import hatchling.build as b; print(b.build_{kind}({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return folder / done.stdout.split()[-1]


def answers(place: Path, cwd: Path) -> list[str]:
    """Ask a Python that knows the libraries and one installed wheel where it finds things."""
    code = FIND.format(libraries=sysconfig.get_paths()["purelib"], place=str(place))
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "inside"), [("wheel", "installed"), ("editable", "checkout")])
def test_facts_are_found(kind: str, inside: str, tmp_path: Path) -> None:
    place, cwd = tmp_path / "installed", tmp_path / "elsewhere"
    cwd.mkdir()
    with zipfile.ZipFile(built(kind, tmp_path)) as wheel:
        wheel.extractall(place)
    configs, models, *rest = answers(place, cwd)
    home = place if inside == "installed" else ROOT
    assert Path(models).is_relative_to(home)
    assert Path(configs).is_relative_to(home)
    assert rest == ["cloudmatrix384"]
