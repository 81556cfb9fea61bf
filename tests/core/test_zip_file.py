from __future__ import annotations

import zipfile

import pytest

from gandiag import InputError
from gandiag.core.zip_file import open_zip


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_of_the_usual_methods_is_read(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("a", b"content")
    with open_zip(tmp_path / "a.zip") as archive:
        assert archive.read("a") == b"content"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_python_unpacks_without_a_bound_is_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"content")
        archive.writestr("b", bytes(1 << 20), method)
    with pytest.raises(InputError, match=f"compressed by method {method}; use a zip of deflate or store"):
        open_zip(tmp_path / "a.zip")


def test_parts_on_the_same_bytes_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"content")
        archive.writestr("b", b"more")
        archive.infolist()[1].header_offset = archive.infolist()[0].header_offset
    with pytest.raises(InputError, match="lie on the same bytes"):
        open_zip(tmp_path / "a.zip")


def test_what_is_no_archive_is_told_as_such(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"hello")
    with pytest.raises(zipfile.BadZipFile):
        open_zip(tmp_path / "a.zip")
