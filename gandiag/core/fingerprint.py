"""Digests that say whether two numbers, or two files, come from the same thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def fingerprint(fields: Mapping[str, Any]) -> str:
    """SHA-256 of the fields in canonical JSON: the same fields give the same digest in any order."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
