"""A random order of rows that depends on what they hold and a key, not on where they stand.

Whatever splits or samples rows in this order gives one answer for every order of the same rows. The first copy of a row
is where the first copy on another side is, the second where the second is, and so on: sides that are equal stay so, and
the copies on one side are as far from each other as any two rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import torch
from torch import Tensor


def content_order(rows: Tensor, key: bytes) -> Tensor:
    """Indices (n,) of rows (n, ...) in the order of their keyed hashes; the key has at most 64 bytes."""
    plain = np.ascontiguousarray(rows.detach().cpu().numpy())
    seen: Counter[bytes] = Counter()
    hashes = []
    for row in plain:
        digest = hashlib.blake2b(row.tobytes(), digest_size=8, key=key).digest()
        copy, seen[digest] = seen[digest], seen[digest] + 1
        if copy:
            digest = hashlib.blake2b(digest + copy.to_bytes(8, "little"), digest_size=8, key=key).digest()
        hashes.append(digest)
    numbers = np.frombuffer(b"".join(hashes), dtype="<u8")
    return torch.from_numpy(np.argsort(numbers, kind="stable")).to(rows.device)
