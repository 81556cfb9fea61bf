from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

from gandiag.core.errors import InternalError, UnknownNameError
from gandiag.core.registry import Registry


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """A fresh package `pets_...` with two public modules and a private one."""
    name = f"pets_{abs(hash(request.node.nodeid))}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "sea_horse.py").write_text('"""Swims upright.\n\nMore."""\nALIASES = ("pony", "sh")\nTHING = "neigh"\n')
    (folder / "cat.py").write_text('"""Purrs."""\nTHING = "meow"\n')
    (folder / "_hidden.py").write_text("THING = 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.fixture
def announce(monkeypatch):
    def announce(*points):
        found = [importlib.metadata.EntryPoint(name, value, "test.pets") for name, value in points]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: found if group == "test.pets" else [])

    return announce


def pets(package=None, **options):
    return Registry("pet", "test.pets", "THING", package=package, **options)


def test_the_stem_is_the_name_and_private_modules_are_not_listed(package):
    assert pets(package).names() == ["cat", "sea_horse"]
    assert pets(package).load("cat") == "meow"


def test_the_summary_is_the_first_line_of_the_docstring(package):
    assert [entry.summary for entry in pets(package).entries()] == ["Purrs.", "Swims upright."]


@pytest.mark.parametrize("name", ["sea_horse", "sea-horse", "SEA_HORSE", "pony", "sh"])
@pytest.mark.parametrize("separator", ["_", "-"])
def test_aliases_case_hyphen_and_underscore_are_alike(package, name, separator):
    registry = pets(package, separator=separator)
    assert registry.resolve(name) == f"sea{separator}horse"
    assert registry.load(name) == "neigh"


def test_a_near_miss_is_offered(package):
    with pytest.raises(UnknownNameError, match=r"unknown pet 'sea-hors', did you mean 'sea_horse'\?; known: cat, pony"):
        pets(package).load("sea-hors")


def test_an_entry_point_may_name_an_object(package, announce):
    announce(("my-cat", f"{package}.cat:THING"))
    assert pets().names() == ["my_cat"]
    assert pets().load("my-cat") == "meow"


def test_an_entry_point_may_name_a_package(package, announce):
    announce(("all", package))
    assert pets().names() == ["cat", "sea_horse"]
    assert pets().load("pony") == "neigh"


def test_two_things_of_one_name_are_an_error(package, announce):
    announce(("cat", f"{package}.sea_horse:THING"))
    with pytest.raises(InternalError, match="two pets are called 'cat'"):
        pets(package).names()


def test_one_thing_found_twice_is_no_error(package, announce):
    announce(("cat", f"{package}.cat:THING"))
    assert pets(package).names() == ["cat", "sea_horse"]


def test_listing_runs_no_module(package, tmp_path):
    (tmp_path / package / "bomb.py").write_text('"""Bang."""\nraise SystemExit("it was run")\n')
    assert "bomb" in pets(package).names()


def test_listing_the_own_registries_imports_nothing_heavy():
    code = (
        "import sys, gandiag\n"
        "from gandiag.metrics import METRICS; from gandiag.datasets import DATASETS\n"
        "from gandiag.extractors import EXTRACTORS\n"
        "assert METRICS.entries() and DATASETS.entries() and EXTRACTORS.entries()\n"
        "heavy = {'torch', 'torchvision', 'scipy', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
