"""How fast image files are read, beside a bare loop of Pillow with as many threads; run alternately, in one process.

    python benchmarks/readers.py --images 100000 --size 32

The images are made in a temporary folder. A reading is all that a score does with files: find them, hash them, look at
every header, decode every image, see that none has changed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gandiag.core.protocols import Source
from gandiag.sources.encoded import workers
from gandiag.sources.formats import File, SourceOptions, open_file

BATCH = 512
CHUNK = 64


def make(folder: Path, count: int, size: int) -> list[Path]:
    """Smooth coloured noise, which compresses about as photographs of this size do."""
    rng = np.random.default_rng(0)
    files = []
    for index in range(count):
        if index % 1000 == 0:
            (folder / f"{index // 1000:05d}").mkdir(parents=True)
        coarse = rng.integers(0, 256, (max(2, size // 8), max(2, size // 8), 3), dtype=np.uint8)
        files.append(folder / f"{index // 1000:05d}" / f"{index:06d}.png")
        Image.fromarray(coarse).resize((size, size), Image.Resampling.BILINEAR).save(files[-1], compress_level=1)
    return files


def bare(files: list[Path], threads: int) -> int:
    def decode(first: int) -> int:
        batch = []
        for file in files[first : first + CHUNK]:
            with Image.open(file) as image:
                batch.append(np.asarray(image.convert("RGB")))
        return len(batch)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(decode, range(0, len(files), CHUNK)))


def bare_zip(path: Path, names: list[str], threads: int) -> int:
    def decode(first: int) -> int:
        batch = []
        with zipfile.ZipFile(path) if first < 0 else handles[first // CHUNK % threads] as archive:
            for name in names[first : first + CHUNK]:
                with archive.open(name) as file, Image.open(file) as image:
                    batch.append(np.asarray(image.convert("RGB")))
        return len(batch)

    class Kept(zipfile.ZipFile):
        def __exit__(self, *_: object) -> None:  # one handle goes from block to block
            pass

    handles = [Kept(path) for _ in range(threads)]
    try:
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(decode, range(0, len(names), CHUNK)))
    finally:
        for handle in handles:
            handle.close()


def read(path: Path) -> int:
    source: Source = open_file(File(path), SourceOptions())
    count = source.info.size or 0
    return sum(len(source.read(start, min(start + BATCH, count))) for start in range(0, count, BATCH))


def timed(work: Callable[[], int], expected: int) -> float:
    started = time.perf_counter()
    if work() != expected:
        raise SystemExit("some images were not read")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    threads = workers()
    with tempfile.TemporaryDirectory(prefix="gandiag-readers-") as folder:
        root = Path(folder) / "images"
        files = make(root, options.images, options.size)
        names = [file.relative_to(root).as_posix() for file in files]
        archive = Path(folder) / "images.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as written:
            for file, name in zip(files, names, strict=True):
                written.write(file, name)
        pairs: dict[str, tuple[Callable[[], int], Callable[[], int]]] = {
            "folder": (lambda: bare(files, threads), lambda: read(root)),
            "zip": (lambda: bare_zip(archive, names, threads), lambda: read(archive)),
        }
        print(f"{options.images:,} PNG images of {options.size} x {options.size}, {threads} threads, images a second")
        for name, (loop, ours) in pairs.items():
            times: list[tuple[float, float]] = []
            for _ in range(options.rounds):
                times.append((timed(loop, options.images), timed(ours, options.images)))
            loops, mine = zip(*times, strict=True)
            ratio = statistics.median(one / other for one, other in times)
            rates = f"Pillow {options.images / statistics.median(loops):,.0f}"
            print(f"{name:8} {rates}   gandiag {options.images / statistics.median(mine):,.0f}   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
