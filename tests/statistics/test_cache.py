from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

from gandiag.statistics.cache import Cache, default_cache_folder
from gandiag.statistics.rows import Rows

KEY = {"source": "abc", "samples": 10, "extractor": {"name": "pixels", "sha256": None}}


@pytest.fixture
def warned():
    return []


@pytest.fixture
def cache(tmp_path, warned):
    return Cache(tmp_path / "cache", warn=warned.append)


def same(one, other):
    one, other = (each.tensor() if isinstance(each, Rows) else each for each in (one, other))
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)


def rows_of(values, budget):
    rows = Rows(budget)
    for block in torch.split(values, 3):
        rows.append(block)
    return rows


def filled(seed):
    return {"features": torch.full((300, 40), float(seed)), "labels": torch.full((300,), seed)}


def entries(cache):
    return sorted(cache.folder.glob("*.safetensors"))


@pytest.mark.parametrize(
    "dtype",
    [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool],
)
def test_tensors_come_back_bit_for_bit(cache, warned, normal, dtype):
    stored = {
        "matrix": (normal(7, 5) * 9).to(dtype),
        "transposed": (normal(5, 3) * 9).to(dtype).T,
        "number": torch.tensor(3).to(dtype),
        "empty": torch.zeros(0, 4, dtype=dtype),
        "images": (normal(3, 2, 4, 4) * 9).to(dtype),
    }
    cache.store(KEY, stored, {"note": "æ"})
    found = cache.load(KEY)
    assert found.metadata == {"note": "æ"}
    assert set(found.tensors) == set(stored)
    assert all(same(found.tensors[name], stored[name]) for name in stored)
    assert warned == []


@pytest.mark.parametrize("budget", [0, 2**20])
def test_rows_come_back_as_rows_whether_they_were_in_memory_or_not(tmp_path, warned, normal, budget):
    values = normal(100, 6, dtype=torch.float32)
    cache = Cache(tmp_path, warn=warned.append, budget=budget)
    stored = rows_of(values, budget)
    cache.store(KEY, {"features": stored, "small": values[:2]})
    found = cache.load(KEY).tensors
    assert isinstance(found["features"], Rows)
    assert stored.spilled is found["features"].spilled is (budget == 0)
    assert torch.equal(found["features"].tensor(), values)
    assert torch.equal(found["small"], values[:2])


def test_many_blocks_go_through(tmp_path, warned, normal, monkeypatch):
    monkeypatch.setattr("gandiag.statistics.tensor_file.BLOCK_BYTES", 64)
    cache = Cache(tmp_path, warn=warned.append)
    stored = {"plain": normal(50, 3), "rows": rows_of(normal(50, 3), 2**20), "flat": normal(999)}
    cache.store(KEY, stored)
    found = cache.load(KEY).tensors
    assert all(same(found[name], stored[name]) for name in stored)


def test_other_tools_read_the_file(cache, normal):
    values = {"features": normal(4, 3), "count": torch.tensor(4)}
    cache.store(KEY, values)
    found = safetensors.torch.load_file(cache.path(KEY))
    assert all(torch.equal(found[name], values[name]) for name in values)


def test_every_field_of_the_key_counts(cache):
    cache.store(KEY, filled(1))
    assert cache.load({**KEY, "samples": 11}) is None
    assert cache.load({**KEY, "extractor": {"name": "pixels", "sha256": "0"}}) is None
    assert cache.load(dict(reversed(KEY.items()))) is not None


def test_what_was_never_stored_is_none_without_a_word(cache, warned):
    assert cache.load(KEY) is None
    assert warned == []
    assert not cache.folder.exists()


def test_an_entry_is_replaced(cache):
    cache.store(KEY, filled(1))
    cache.store(KEY, filled(2))
    assert same(cache.load(KEY).tensors["labels"], filled(2)["labels"])
    assert len(entries(cache)) == 1


@pytest.mark.parametrize("kept", [0, 1, 8, 100, 1000, -1])
def test_a_file_that_was_cut_short_is_removed_with_a_warning(cache, warned, kept):
    cache.store(KEY, filled(1))
    path = cache.path(KEY)
    path.write_bytes(path.read_bytes()[:kept])
    assert cache.load(KEY) is None
    assert len(warned) == 1
    assert path.name in warned[0]
    assert not path.exists()


def test_a_file_that_grew_is_removed_with_a_warning(cache, warned):
    cache.store(KEY, filled(1))
    with cache.path(KEY).open("ab") as file:
        file.write(b"\0")
    assert cache.load(KEY) is None
    assert "damaged" in warned[0]


def test_a_flipped_bit_anywhere_is_noticed(cache, warned):
    cache.store(KEY, {"features": torch.ones(3, 4), "labels": torch.arange(3)}, {"note": "plain"})
    path = cache.path(KEY)
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        assert cache.load(KEY) is None, place
        assert len(warned) == 1, place
        warned.clear()


def test_a_header_that_asks_for_the_moon_is_refused_before_it_gets_it(cache, warned):
    cache.store(KEY, filled(1))
    path = cache.path(KEY)
    path.write_bytes(path.read_bytes().replace(b"[300,40]", b"[9e9,40]"))
    assert cache.load(KEY) is None
    cache.store(KEY, filled(1))
    path.write_bytes((2**62).to_bytes(8, "little") + path.read_bytes()[8:])
    assert cache.load(KEY) is None
    assert len(warned) == 2


def test_an_entry_of_another_key_is_not_taken(cache, warned):
    other = {**KEY, "samples": 11}
    cache.store(other, filled(1))
    cache.path(other).rename(cache.path(KEY))
    assert cache.load(KEY) is None
    assert "of another key" in warned[0]


def test_another_format_is_not_taken(cache, warned):
    cache.folder.mkdir()
    safetensors.torch.save_file({"features": torch.ones(2)}, cache.path(KEY))
    assert cache.load(KEY) is None
    assert "gandiag.cache/1" in warned[0]


def test_a_folder_in_the_place_of_an_entry_stays_and_is_warned_of(cache, warned):
    (cache.path(KEY) / "precious").mkdir(parents=True)
    assert cache.load(KEY) is None
    cache.store(KEY, filled(1))
    assert len(warned) == 1
    assert (cache.path(KEY) / "precious").is_dir()
    cache.store({"other": 1}, filled(1))
    assert cache.load({"other": 1}) is not None


def test_an_entry_that_another_process_drops_meanwhile_is_a_miss_and_no_trouble(cache, warned, coming_and_going):
    coming_and_going(cache.path(KEY))
    for _ in range(3000):
        cache.load({**KEY})
    assert all("it is computed again" in line for line in warned)  # an empty file is damaged, but a file


def test_what_was_used_longest_ago_is_dropped_first(tmp_path, warned):
    cache = Cache(tmp_path, warn=warned.append, limit=3 * 60_000)
    keys = [{"entry": number} for number in range(4)]
    for age, key in enumerate(keys[:3]):
        cache.store(key, filled(0))
        os.utime(cache.path(key), (1000 + age, 1000 + age))
    assert cache.load(keys[0]) is not None
    cache.store(keys[3], filled(0))
    assert [cache.path(key).exists() for key in keys] == [True, False, True, True]
    assert warned == []


def test_what_was_just_stored_stays_even_where_it_looks_old(tmp_path, warned, monkeypatch):
    cache = Cache(tmp_path, warn=warned.append, limit=60_000)
    cache.store({"entry": 0}, filled(0))
    os.utime(cache.path({"entry": 0}), (2**33, 2**33))
    cache.store({"entry": 1}, filled(0))
    assert entries(cache) == [cache.path({"entry": 1})]


def test_one_entry_above_the_limit_is_not_stored_and_drops_no_other(tmp_path, warned):
    cache = Cache(tmp_path, warn=warned.append, limit=60_000)
    cache.store(KEY, filled(0))
    cache.store({"large": 1}, {"features": torch.zeros(10_000, 2)})
    assert cache.load({"large": 1}) is None
    assert cache.load(KEY) is not None
    assert len(warned) == 1
    assert "limit" in warned[0]


def test_files_that_are_not_the_cache_s_are_left_alone(tmp_path, warned):
    (tmp_path / "notes.txt").write_text("x" * 100_000)
    (tmp_path / ".someone.part").write_text("x")
    cache = Cache(tmp_path, warn=warned.append, limit=60_000)
    cache.store(KEY, filled(0))
    assert (tmp_path / "notes.txt").exists()
    assert (tmp_path / ".someone.part").exists()


def test_a_folder_that_cannot_be_written_costs_one_warning(tmp_path, warned):
    (tmp_path / "file").write_text("x")
    cache = Cache(tmp_path / "file" / "cache", warn=warned.append)
    for seed in range(3):
        cache.store({"seed": seed}, filled(seed))
        cache.load({"seed": seed})
    assert sum("not kept" in line for line in warned) == 1
    assert all(len(line.splitlines()) == 1 for line in warned)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_only_read_from_is_read_from(cache, warned):
    cache.store(KEY, filled(1))
    cache.folder.chmod(0o500)
    try:
        assert cache.load(KEY) is not None
        cache.store({"other": 1}, filled(1))
    finally:
        cache.folder.chmod(0o700)
    assert len(warned) == 1


def test_a_full_disk_costs_one_warning(cache, warned, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gandiag.statistics.cache.write_tensors", full)
    cache.store(KEY, filled(1))
    cache.store(KEY, filled(1))
    assert len(warned) == 1
    assert "No space" in warned[0]
    assert list(cache.folder.iterdir()) == []


def test_an_interrupted_writer_leaves_nothing(cache, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("gandiag.statistics.cache.write_tensors", stopped)
    with pytest.raises(KeyboardInterrupt):
        cache.store(KEY, filled(1))
    assert list(cache.folder.iterdir()) == []


def test_the_folder_is_found_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("GANDIAG_CACHE", raising=False)
    assert default_cache_folder() == tmp_path / "gandiag" / "features"
    monkeypatch.setenv("GANDIAG_CACHE", str(tmp_path / "mine"))
    assert default_cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("GANDIAG_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert default_cache_folder() == tmp_path / ".cache" / "gandiag" / "features"


def _use(folder, number, problems):
    """Store and load the same few keys over and over, with a limit that drops entries all the time."""
    cache = Cache(folder, warn=problems.put, limit=120_000)
    draw = random.Random(number)
    for _ in range(60):
        seed = draw.randrange(4)
        if draw.random() < 0.5:
            cache.store({"seed": seed}, filled(seed))
        found = Cache(folder, warn=problems.put).load({"seed": seed})
        if found is not None and not all(same(found.tensors[name], value) for name, value in filled(seed).items()):
            problems.put(f"wrong values for {seed}")


@pytest.fixture
def processes():
    """Children that begin at once: a fork of a process with torch in it, which has one thread in these tests."""
    return multiprocessing.get_context("fork")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_processes_at_once_read_whole_entries_or_none(tmp_path, processes):
    problems = processes.SimpleQueue()
    workers = [processes.Process(target=_use, args=(tmp_path, number, problems)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert problems.empty(), problems.get()
    assert not list(tmp_path.glob(".*"))


def _write_forever(folder):
    cache = Cache(folder, warn=print)
    while True:
        for seed in range(4):
            cache.store({"seed": seed}, filled(seed))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_killed_writers_leave_nothing_broken_and_the_next_run_cleans_up(tmp_path, warned, processes):
    draw = random.Random(0)
    left = 0
    for _ in range(20):
        writer = processes.Process(target=_write_forever, args=(tmp_path,))
        writer.start()
        time.sleep(0.02 + 0.03 * draw.random())
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        left += len(list(tmp_path.glob(".*.part")))
        cache = Cache(tmp_path, warn=warned.append)
        for seed in range(4):
            found = cache.load({"seed": seed})
            assert found is None or same(found.tensors["features"], filled(seed)["features"])
        assert not list(tmp_path.glob(".*.part"))
    assert warned == []
    assert left > 0, "no writer was killed while it wrote; the test shows nothing"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_file_that_is_being_written_is_not_cleaned_away(tmp_path, warned, processes):
    writer = processes.Process(target=_write_forever, args=(tmp_path,))
    writer.start()
    try:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            Cache(tmp_path, warn=warned.append).load({"seed": 0})
        assert writer.is_alive()
    finally:
        writer.kill()
        writer.join()
    assert warned == []


def test_an_unfinished_file_of_an_hour_ago_is_removed_even_where_there_are_no_locks(tmp_path, monkeypatch, warned):
    old, new = (tmp_path / f".{name}.safetensors.abc.part" for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 7200,) * 2)

    def no_locks(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", no_locks)
    cache = Cache(tmp_path, warn=warned.append)
    cache.store(KEY, filled(1))
    assert cache.load(KEY) is not None
    assert not old.exists()
    assert new.exists()
