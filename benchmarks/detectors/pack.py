"""Pack all logs and truths into one small archive: `python benchmarks/detectors/pack.py`."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import sys
import tarfile
from pathlib import Path

HOME = Path(__file__).parent
sys.path.insert(0, str(HOME))

from truth import told_anew  # noqa: E402


def main() -> None:
    """Write logs.tar.xz; the loop's own histories stay behind, since the truth is drawn from them already."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for path in sorted((HOME / "runs").glob("*.json")):
            told = told_anew(json.loads(path.read_text()))
            del told["history"]
            _add(packed, f"{path.stem}.json", json.dumps(told).encode())
            _add(packed, f"{path.stem}.jsonl", gzip.decompress((path.parent / f"{path.stem}.jsonl.gz").read_bytes()))
    target = HOME / "logs.tar.xz"
    target.write_bytes(lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME))
    print(f"wrote {target}: {target.stat().st_size / 2**20:.2f} MiB")


def _add(packed: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    packed.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    main()
