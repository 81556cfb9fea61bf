from __future__ import annotations

import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gandiag.core import weights
from gandiag.core.errors import InputError, UnknownNameError
from gandiag.core.weights import PUBLISHED, PublishedWeights, fetch, folder, path_of, verify

CONTENT = bytes(range(251)) * 4000


class Server:
    """A server of one file, that can be told to cut the connection or to ignore ranges."""

    def __init__(self):
        self.cuts: list[int] = []
        self.ranges = True
        self.content = CONTENT
        self.asked: list[str | None] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers["Range"]
                owner.asked.append(wanted)
                start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and owner.ranges else 0
                body = owner.content[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: owner.cuts.pop(0)] if owner.cuts else body)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/small.pth"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server(tmp_path, monkeypatch):
    found = Server()
    monkeypatch.setenv("GANDIAG_WEIGHTS", str(tmp_path / "weights"))
    entry = PublishedWeights("inception", found.url, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "none")
    monkeypatch.setitem(PUBLISHED, "inception", entry)
    monkeypatch.setattr(weights, "MEGABYTE", 1000)
    yield found
    found.server.shutdown()
    found.server.server_close()


def parts():
    return [path.name for path in folder().iterdir()]


def test_what_is_fetched_is_what_was_published(server):
    seen = []
    path = fetch("inception", seen.append)
    assert path == path_of("inception")
    assert path.read_bytes() == CONTENT
    assert parts() == ["small.pth"]
    assert (seen[-1].done, seen[-1].total) == (1004, 1004)
    assert verify("inception") == "ok"
    assert fetch("inception") == path
    assert len(server.asked) == 1


def test_a_cut_connection_goes_on_from_where_it_stopped(server):
    server.cuts = [300_000, 200_000]
    assert fetch("inception").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=500000-"]


def test_a_part_left_by_a_killed_command_is_used(server):
    folder().mkdir()
    (folder() / "small.pth.part").write_bytes(CONTENT[:700_000])
    assert fetch("inception").read_bytes() == CONTENT
    assert server.asked == ["bytes=700000-"]
    assert parts() == ["small.pth"]


def test_a_server_without_ranges_sends_all_of_it_again(server):
    server.ranges = False
    folder().mkdir()
    (folder() / "small.pth.part").write_bytes(CONTENT[:700_000])
    assert fetch("inception").read_bytes() == CONTENT


@pytest.mark.parametrize("change", ["other", "longer"])
def test_another_file_is_refused_and_deleted(server, change):
    server.content = CONTENT[::-1] if change == "other" else CONTENT * 50
    with pytest.raises(InputError, match="not the published file"):
        fetch("inception")
    assert parts() == []


def test_a_shorter_file_says_where_it_stopped(server):
    server.content = CONTENT[:1000]
    with pytest.raises(InputError, match=r"stopped at 1,000 of 1,004,000 bytes|416|cannot fetch"):
        fetch("inception")
    assert parts() == ["small.pth.part"]


def test_a_damaged_file_is_fetched_again(server):
    folder().mkdir()
    path_of("inception").write_bytes(b"damaged")
    assert verify("inception") == "damaged"
    assert fetch("inception").read_bytes() == CONTENT


def test_without_a_network_it_says_what_to_do(server, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    entry = PublishedWeights("inception", f"http://127.0.0.1:{port}/small.pth", "0" * 64, 10, "none")
    monkeypatch.setitem(PUBLISHED, "inception", entry)
    with pytest.raises(InputError, match=r"cannot fetch http.*--weights FILE"):
        fetch("inception")
    assert verify("inception") == "missing"


def test_a_folder_that_cannot_be_made(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANDIAG_WEIGHTS", str(tmp_path / "file" / "weights"))
    with pytest.raises(InputError, match="GANDIAG_WEIGHTS"):
        fetch("inception")


def test_the_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("GANDIAG_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folder() == tmp_path / "gandiag" / "weights"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder() == tmp_path / ".cache" / "gandiag" / "weights"


def test_an_unknown_name():
    with pytest.raises(UnknownNameError, match="did you mean 'inception'"):
        fetch("incepton")


def test_the_table_is_consistent():
    assert len({entry.sha256 for entry in PUBLISHED.values()}) == len(PUBLISHED)
    for name, entry in PUBLISHED.items():
        assert entry.extractor == name
        assert len(bytes.fromhex(entry.sha256)) == 32
        assert entry.url.startswith("https://")
        digits = entry.file.removesuffix(".pth").rpartition("-")[2]
        if len(digits) == 8 and not entry.file.endswith(".pt"):  # torch.hub writes the first digits into the name
            assert entry.sha256.startswith(digits)
