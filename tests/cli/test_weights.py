from __future__ import annotations

import hashlib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from gandiag.core.weights import PUBLISHED, PublishedWeights, path_of


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Weights of three bytes under the name `inception`, on a server of this machine."""
    (tmp_path / "small.pth").write_bytes(b"abc")
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *arguments: Quiet(*arguments, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/small.pth"
    entry = PublishedWeights("inception", url, hashlib.sha256(b"abc").hexdigest(), 3, "none")
    monkeypatch.setitem(PUBLISHED, "inception", entry)
    monkeypatch.setenv("GANDIAG_WEIGHTS", str(tmp_path / "weights"))
    yield entry
    server.shutdown()
    server.server_close()


def test_fetch_list_and_verify(gandiag_command, published):
    assert "no weights are here" in gandiag_command("weights", "verify").err
    fetched = gandiag_command("weights", "fetch", "inception")
    assert (fetched.code, fetched.out) == (0, f"{path_of('inception')}\n")
    assert path_of("inception").read_bytes() == b"abc"
    rows = {line.split()[1]: line for line in gandiag_command("weights", "list").out.splitlines() if "pt" in line}
    assert rows.keys() == PUBLISHED.keys()
    assert " yes " in rows["inception"]
    assert " no " in rows["vgg16"]
    assert gandiag_command("weights", "verify").out == "inception: ok\n"


def test_damaged_weights_end_with_exit_code_2(gandiag_command, published):
    path_of("inception").parent.mkdir()
    path_of("inception").write_bytes(b"abd")
    finished = gandiag_command("weights", "verify", "inception")
    assert (finished.code, finished.out) == (2, "inception: damaged\n")
    assert "gandiag weights fetch inception" in finished.err
    assert gandiag_command("weights", "verify", "vgg16").code == 2


def test_a_wrong_name_is_refused_before_anything_is_fetched(refused, published):
    assert "did you mean 'vgg16'" in refused("weights", "fetch", "inception", "vgg61")
    assert not path_of("inception").exists()
