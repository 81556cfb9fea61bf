"""How far a pickle is followed; what is told of it is tested with `inspect`."""

from __future__ import annotations

import io
import pickle
import struct

import pytest

from gandiag.core.pickles import HostilePickleError, PickleError, read_pickle, saved_pickles


@pytest.mark.parametrize("protocol", range(6))
def test_a_value_is_told_without_unpickling(tmp_path, protocol):
    value = {"epoch": 3, "notes": ["a\nb", b"\0\n"], "large": "x" * 100_000, "none": (None, True, -1.5, 2**70)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value, protocol))
    (found,) = saved_pickles(tmp_path / "a.pkl")
    kept = {name: each for name, each in value.items() if name != "notes"}
    assert {name: each for name, each in found.value.items() if name != "notes"} == kept
    assert found.value["notes"][0] == "a\nb"


def test_long_bytes_are_not_kept(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([b"x" * 2**21, "last"]))
    (found,) = saved_pickles(tmp_path / "a.pkl")
    assert found.value == [b"", "last"]


@pytest.mark.parametrize(
    "content",
    [
        b"c" + b"a," * 1000 + b"\nx\n.",
        b"ca\n" + b"a," * 1000 + b"\n.",
        b"(i" + b"a," * 1000 + b"\nx\n.",
        pickle.dumps(["os", "x" * 2000], 4)[:-2].replace(b"\x94\x8c\x02os", b"\x8c\x02os") + b"\x93.",
        b"\x80\x02X\xd0\x07\0\0" + b"x" * 2000 + b"K\1\x86Q.",
    ],
    ids=["module", "attribute", "instance", "stack", "storage"],
)
def test_a_long_name_is_refused_before_pytorch_looks_through_it(content):
    with pytest.raises(PickleError) as raised:
        read_pickle(io.BytesIO(content))
    assert isinstance(raised.value, HostilePickleError)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"P", "a line that does not end"),
        (b"\x80\x04V", "a line that does not end"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 30 << 30), "a value of 32,212,254,720 bytes"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**63 - 1), "a value of 9,223,372,036,854,775,807 bytes"),
    ],
    ids=["persistent", "text", "bytes", "bytearray"],
)
def test_a_file_with_zeros_behind_is_left_soon(tmp_path, head, said):
    with (tmp_path / "a.pkl").open("w+b") as file:
        file.write(head)
        file.truncate(1 << 30)
        file.seek(0)
        with pytest.raises(HostilePickleError, match=said):
            read_pickle(file)
