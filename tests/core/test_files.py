from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from gandiag.core.errors import InputError
from gandiag.core.files import atomic_write, file_sha256
from gandiag.core.fingerprint import fingerprint


def test_the_file_appears_only_when_the_block_has_ended(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with atomic_write(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_content_and_leaves_nothing_behind(tmp_path, error):
    target = tmp_path / "file.txt"
    target.write_text("old")

    def fail():
        with atomic_write(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_permissions_are_those_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "file"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_the_permissions_of_a_file_that_is_there_stay(tmp_path):
    target = tmp_path / "file"
    for mode in (0o600, 0o664):
        target.touch()
        target.chmod(mode)
        with atomic_write(target) as temporary:
            temporary.write_text("new")
        assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", mode)


def test_a_file_that_another_process_removes_all_the_time_is_written(tmp_path, coming_and_going):
    path = coming_and_going(tmp_path / "file")
    for _ in range(1500):
        with atomic_write(path) as temporary:
            temporary.write_text("new")
    assert [item for item in path.parent.iterdir() if item != path] == []


@pytest.mark.parametrize("existing", [True, False])
def test_a_link_stays_one_and_what_it_leads_to_gets_the_content(tmp_path, existing):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "file", tmp_path / "link"
    if existing:
        target.write_text("old")
    link.symlink_to("there/file")
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert sorted(tmp_path.rglob("*")) == [link, target.parent, target]


def test_links_in_a_circle_are_an_input_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InputError, match="cannot write"), atomic_write(tmp_path / "a"):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("where", ["folder", "file.txt/below"])
def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path, where):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(InputError, match="cannot write"), atomic_write(tmp_path / where):
        pytest.fail("the block must not run")


def test_a_full_disk_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="No space"), atomic_write(tmp_path / "file"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert file_sha256(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def test_the_fingerprint_ignores_order_and_nothing_else():
    one = {"a": 1, "b": {"x": [1, 2], "y": None}}
    assert fingerprint(one) == fingerprint({"b": {"y": None, "x": [1, 2]}, "a": 1})
    others = [{"a": 2, "b": one["b"]}, {"a": 1}, {"a": 1, "b": {"x": [2, 1], "y": None}}, {"a": "1", "b": one["b"]}]
    assert fingerprint(one) not in [fingerprint(other) for other in others]
    with pytest.raises(ValueError, match="JSON compliant"):
        fingerprint({"a": float("nan")})


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes by name")
def test_a_pipe_stays_one_and_gets_the_content(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as temporary:
        temporary.write_text("whole")
    assert os.read(reader, 100) == b"whole"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="a system without devices")
def test_a_device_stays_one(tmp_path):
    link = tmp_path / "null"
    link.symlink_to("/dev/null")  # not itself, which a wrong program that runs as root would replace
    with atomic_write(link) as temporary:
        temporary.write_text("whole")
    assert link.is_symlink()
    assert link.is_char_device()


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device that is always full")
def test_a_device_that_takes_nothing_is_an_input_error(tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(InputError, match="No space"), atomic_write(tmp_path / "full") as temporary:
        temporary.write_text("whole")
