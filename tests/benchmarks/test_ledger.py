from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parent.parent.parent / "benchmarks" / "ledger.py"


@pytest.fixture
def ledger() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ledger", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_is_found_again_by_another_process(ledger, tmp_path):
    ledger.Ledger(tmp_path / "rows" / "some.jsonl").add("run-0", {"rate": 0.1}, {"modes": 8})
    assert ledger.Ledger(tmp_path / "rows" / "some.jsonl").find("run-0", {"rate": 0.1}) == {"modes": 8}


def test_a_row_of_other_settings_or_of_another_run_is_not(ledger, tmp_path):
    rows = ledger.Ledger(tmp_path / "some.jsonl")
    assert rows.find("run-0", {"rate": 0.1}) is None
    rows.add("run-0", {"rate": 0.1}, {"modes": 8})
    assert rows.find("run-0", {"rate": 0.2}) is None
    assert rows.find("run-1", {"rate": 0.1}) is None


def test_the_latest_of_several_counts(ledger, tmp_path):
    rows = ledger.Ledger(tmp_path / "some.jsonl")
    rows.add("run-0", {"rate": 0.1}, {"modes": 8})
    rows.add("run-0", {"rate": 0.1}, {"modes": 7})
    assert rows.find("run-0", {"rate": 0.1}) == {"modes": 7}


def test_the_order_of_the_settings_does_not_matter(ledger):
    assert ledger.fingerprint({"a": 1, "b": (2,)}) == ledger.fingerprint({"b": [2], "a": 1})


def test_the_rows_that_are_kept_can_be_read(ledger):
    files = sorted(ledger.ROWS.glob("*.jsonl"))
    assert files
    for file in files:
        assert ledger.Ledger(file).find("no such run", {}) is None, file


def test_a_page_is_not_emptied(ledger, tmp_path):
    page = tmp_path / "page.md"
    ledger.write_page(page, "a table", [{"modes": 8}])
    with pytest.raises(SystemExit, match=r"page\.md stays as it is"):
        ledger.write_page(page, "no table", [])
    assert page.read_text(encoding="utf-8") == "a table"
