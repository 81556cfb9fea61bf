from __future__ import annotations

import gc
import resource
from pathlib import Path

import pytest
import torch

from gandiag.statistics.feature_bank import FeatureBank, features_of, logit_blocks
from gandiag.statistics.rows import Rows


def filled(budget, *parts):
    rows = Rows(budget)
    for part in parts:
        rows.append(part)
    return rows


@pytest.mark.parametrize("budget", [0, 2**20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8, torch.int64])
def test_what_goes_in_comes_out_in_order(budget, dtype):
    parts = [torch.arange(start, start + 12).reshape(4, 3).to(dtype) for start in (0, 12, 24)]
    rows = filled(budget, *parts)
    assert rows.spilled == (budget == 0)
    assert len(rows) == 12
    assert rows.shape == (12, 3)
    assert rows.dtype == dtype
    assert torch.equal(rows.tensor(), torch.cat(parts))
    assert torch.equal(rows.tensor(5), torch.cat(parts)[:5])
    assert torch.equal(torch.cat(list(rows.blocks(7))), torch.cat(parts)[:7])


def test_the_file_has_no_name_and_goes_with_the_rows(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows = filled(0, torch.ones(10, 4))
    assert list(tmp_path.iterdir()) == []
    gc.collect()  # what other tests left open
    opened = len(list(Path("/proc/self/fd").iterdir()))
    del rows
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == opened - 1


def test_a_bank_reads_rows_from_either_place(normal):
    features, logits = normal(20, 3).float(), normal(20, 2, 5).float()
    bank = FeatureBank(features=filled(0, features), logits=filled(0, logits[:9], logits[9:]))
    assert len(bank) == 20
    assert torch.equal(features_of(bank), features)
    assert torch.equal(torch.cat(list(logit_blocks(bank))), logits)
    assert torch.equal(features_of(bank.first(6)), features[:6])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_rows_beyond_the_budget_take_no_memory():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    before = resident()
    rows = Rows(2**20)
    for _ in range(32):
        rows.append(torch.ones(2**20 // 4, 4))  # 4 MB each
    assert sum(len(block) for block in rows.blocks()) == len(rows)
    assert resident() - before < 80 * 2**20  # of 128 MB
