from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("metrics", {"fid", "inception_score", "precision_recall", "mode_coverage"}),
        ("extractors", {"digits", "pixels"}),
        ("datasets", {"mnist", "stacked-mnist", "ring8", "grid25", "cifar10"}),
        ("generators", {"mlp", "dcgan"}),
        ("recipes", {"vanilla", "dcgan"}),
        ("faults", {"many_generator_steps"}),
        ("techniques", {"packing", "unrolling"}),
        ("losses", {"hinge", "wasserstein"}),
        ("penalties", {"r1", "gradient_penalty"}),
        ("tasks", {"super_resolution", "unpaired"}),
    ],
)
def test_every_name_has_a_line_on_what_it_is(gandiag_command, kind, names):
    lines = gandiag_command("list", kind).out.splitlines()
    assert names <= {line.split()[0] for line in lines}
    assert all(len(line.split()) > 3 for line in lines)


def test_all_kinds_are_listed_at_once(gandiag_command):
    out = gandiag_command("list").out
    assert all(f"{kind}:" in out for kind in ("metrics", "extractors", "datasets", "generators", "recipes", "faults"))


def test_an_unknown_kind_is_told_with_the_nearest_one(refused):
    line = refused("list", "recipies")
    assert "did you mean 'recipes'?" in line
    assert line.count("metrics") == 1
