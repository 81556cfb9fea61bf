"""The house stands floor on floor: what each room may import, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From the ground up; rooms of one line do not import each other.
FLOORS = [
    {"core"},
    {"monitor"},
    {"statistics"},
    {"sources", "datasets", "extractors"},
    {"metrics"},
    {"evaluation"},
    {"comparison", "study"},
    {"reports", "gates"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
# The kit tests every room from outside; the public names at the top point into all of them, and import none.
EXEMPT = {"testing"}
# A metric's and a source's rooms stand side by side in the design's picture, above the statistics.
NO_TORCH = {"core", "reports", "gates"}


def imports(path: Path, *, at_run_time: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if at_run_time and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "gandiag").parts[0]


@pytest.mark.parametrize("path", modules("gandiag"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_from_floors_below(path):
    room = room_of(path)
    if room not in LEVEL:
        assert room in EXEMPT or path.parent == ROOT / "gandiag", f"{room} is no room of the design"
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "gandiag" or len(parts) < 2 or parts[1] not in LEVEL:
            continue
        other = parts[1]
        assert other == room or LEVEL[other] < LEVEL[room], f"{room} imports {name}"


@pytest.mark.parametrize("path", modules("gandiag"), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_the_reference_models(path):
    assert not any(name.split(".")[0] == "reference_models" for name in imports(path))


@pytest.mark.parametrize("room", sorted(NO_TORCH))
def test_rooms_without_torch(room):
    for path in modules(f"gandiag/{room}"):
        assert not any(name.split(".")[0] == "torch" for name in imports(path, at_run_time=True)), path


@pytest.mark.parametrize("path", modules("reference_models"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_reference_models_use_the_public_api_alone(path):
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "gandiag":
            assert len(parts) == 1 or (len(parts) == 2 and parts[1] in public_names()), name


def public_names() -> set[str]:
    import gandiag

    return set(gandiag.__all__)


def test_every_public_name_is_there_and_has_a_docstring():
    import gandiag

    assert sorted(gandiag.__all__) == list(gandiag.__all__)
    for name in public_names() - {"__version__"}:
        assert getattr(gandiag, name).__doc__, name
