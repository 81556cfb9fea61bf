"""The published weights of extractors: where they are, what they must be, and how to fetch them."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gandiag.core.errors import InputError, UnknownNameError, shown
from gandiag.core.files import file_sha256
from gandiag.core.protocols import Progress, ProgressCallback

CHUNK = 2**18  # bytes
MEGABYTE = 10**6
TRIES = 5
TIMEOUT = 30  # seconds without a byte

State = Literal["ok", "missing", "damaged"]


@dataclass(frozen=True)
class PublishedWeights:
    """A file of weights as its owners publish it.

    Attributes:
        extractor: registered name of the extractor that takes it.
        url: where it is.
        sha256: of its content, in hexadecimal.
        size: in bytes.
        licence: of the weights.
        file: what it is called in the weights folder.
    """

    extractor: str
    url: str
    sha256: str
    size: int
    licence: str

    @property
    def file(self) -> str:
        return self.url.rpartition("/")[2]


_FIDELITY = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"
_CLIP = "https://openaipublic.azureedge.net/clip/models"
_DINOV2 = "https://dl.fbaipublicfiles.com/dinov2"


def _clip(extractor: str, file: str, sha256: str, size: int) -> PublishedWeights:
    return PublishedWeights(extractor, f"{_CLIP}/{sha256}/{file}.pt", sha256, size, "MIT")


def _dinov2(letter: str, sha256: str, size: int) -> PublishedWeights:
    url = f"{_DINOV2}/dinov2_vit{letter}14/dinov2_vit{letter}14_pretrain.pth"
    return PublishedWeights(f"dinov2-vit-{letter}-14", url, sha256, size, "Apache-2.0")


_ALL = (
    PublishedWeights(
        "inception",
        f"{_FIDELITY}/weights-inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        95_628_359,
        "Apache-2.0",
    ),
    PublishedWeights(
        "vgg16",
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        553_433_881,
        "BSD-3-Clause",
    ),
    _dinov2("s", "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9", 88_283_115),
    _dinov2("b", "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73", 346_378_731),
    _dinov2("l", "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428", 1_217_586_395),
    _dinov2("g", "baf8467e50af277596bbbafa06887c177ee899ab46033649c383577d7e9309d3", 4_546_108_579),
    _clip("clip-vit-b-32", "ViT-B-32", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", 353_976_522),
    _clip("clip-vit-b-16", "ViT-B-16", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f", 350_837_078),
    _clip("clip-vit-l-14", "ViT-L-14", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836", 932_768_134),
    _clip(
        "clip-vit-l-14-336px",
        "ViT-L-14-336px",
        "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
        934_088_680,
    ),
)
PUBLISHED: dict[str, PublishedWeights] = {weights.extractor: weights for weights in _ALL}


def published(name: str) -> PublishedWeights:
    """The published weights of an extractor; raises UnknownNameError where it has none."""
    written = name.lower().replace("_", "-")
    if written not in PUBLISHED:
        raise UnknownNameError("extractor with published weights", name, PUBLISHED)
    return PUBLISHED[written]


def folder() -> Path:
    """Where fetched weights are kept: `GANDIAG_WEIGHTS`, or `gandiag/weights` in the user's cache folder."""
    if chosen := os.environ.get("GANDIAG_WEIGHTS"):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "gandiag" / "weights"


def path_of(name: str) -> Path:
    """Where the weights of an extractor are once they have been fetched."""
    return folder() / published(name).file


def verify(name: str) -> State:
    """Whether the fetched weights of an extractor are here and are the published ones."""
    path = path_of(name)
    if not path.is_file():
        return "missing"
    try:
        return "ok" if file_sha256(path) == published(name).sha256 else "damaged"
    except OSError as error:
        raise InputError(f"cannot read {shown(path)}: {error.strerror or error}") from error


def fetch(name: str, progress: ProgressCallback | None = None) -> Path:
    """Download the weights of an extractor, unless they are here, and return where they are.

    What arrives is kept in a `.part` file, from which the next call goes on; it takes its name only after its SHA-256
    has been checked. Progress counts megabytes.

    Raises:
        UnknownNameError: there are no such weights.
        InputError: the server cannot be reached, the connection breaks again and again, the folder cannot be written
            to, or what arrived is not what was published.
    """
    weights = published(name)
    target = path_of(weights.extractor)
    if verify(weights.extractor) == "ok":
        return target
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        message = f"cannot write {shown(part)}: {error.strerror or error}"
        raise InputError(f"{message}; choose another folder with GANDIAG_WEIGHTS") from error
    _fill(part, weights, progress)
    if file_sha256(part) != weights.sha256:
        part.unlink()
        message = f"what {weights.url} sent is not the published file (its SHA-256 is not {weights.sha256})"
        raise InputError(f"{message}; it was deleted: try again, or fetch it another way and give --weights FILE")
    with part.open("rb+") as written:
        os.fsync(written.fileno())
    part.replace(target)
    return target


def _fill(part: Path, weights: PublishedWeights, progress: ProgressCallback | None) -> None:
    """Append to `part` until it has the size of the weights, going on after a break that followed some progress."""

    def report(done: int) -> None:
        if progress is not None:
            task = f"{weights.extractor}, MB"
            progress(Progress(task, done // MEGABYTE, weights.size // MEGABYTE))

    for attempt in range(1, TRIES + 1):
        before = part.stat().st_size
        if before >= weights.size:
            return
        try:
            _append(part, weights, report)
        except (OSError, http.client.HTTPException) as error:
            if part.stat().st_size == before or attempt == TRIES:
                raise InputError(_unreachable(weights, error)) from error
        if part.stat().st_size == before:
            break
    if (found := part.stat().st_size) < weights.size:
        message = f"the download of {weights.url} stopped at {found:,} of {weights.size:,} bytes"
        raise InputError(f"{message}; run it again to go on from there")


def _append(part: Path, weights: PublishedWeights, report: Callable[[int], None]) -> None:
    done = part.stat().st_size
    headers = {"User-Agent": "gandiag", **({"Range": f"bytes={done}-"} if done else {})}
    request = urllib.request.Request(weights.url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer, part.open("ab") as file:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT and done:
            # The server sends all of it again.
            file.truncate(0)
            done = 0
        report(done)
        # One byte more than there should be is enough to know that it is another file.
        while done <= weights.size and (chunk := answer.read(min(CHUNK, weights.size + 1 - done))):
            file.write(chunk)
            done += len(chunk)
            report(done)


def _unreachable(weights: PublishedWeights, error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    message = f"cannot fetch {weights.url}: {str(reason).strip() or type(error).__name__}"
    return f"{message}; fetch it on another machine and put it into {shown(folder())}, or give --weights FILE"
