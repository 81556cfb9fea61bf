"""The report of a comparison, opened in a browser."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from browser import accessibility_findings, open_page
from PIL import Image

from gandiag.comparison.compare import compare
from gandiag.comparison.table import Failure
from gandiag.core.gallery import Gallery, ModelPictures, Picture
from gandiag.core.result import Result
from gandiag.core.score import measured, undefined
from gandiag.reports.comparison import write_comparison_report

HOSTILE = "<script>alert('x')</script>"


def png(seed=0, side=64):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def result(name, fid=10.0, *, fingerprint="f", scores=()):
    made = {
        "fid": measured(fid, stderr=0.4, error_method="influence", better="lower", n_real=1000, n_fake=1000),
        "precision": measured(
            0.8, stderr=0.01, error_method="half-sampling", better="higher", n_real=1000, n_fake=1000
        ),
        "recall": measured(0.6, stderr=0.02, error_method="half-sampling", better="higher", n_real=1000, n_fake=1000),
        "modes": measured(
            8.0,
            stderr=0.5,
            error_method="jackknife",
            better="higher",
            n_real=None,
            n_fake=1000,
            details={"missing": ["2", "7"], "counts": [100, 120, 0, 130, 130, 130, 130, 0, 130, 130]},
        ),
        "kid": undefined("too few samples", better="lower", n_real=1, n_fake=1),
        **dict(scores),
    }
    made = {key: replace(score, fingerprint=fingerprint) for key, score in made.items()}
    source = {"name": name, "kind": "checkpoint", "path": name, "sha256": name, "weights": "generator"}
    return Result(
        "2026-01-01T00:00:00+00:00",
        source,
        {"name": "mnist", "sha256": "r", "samples": 1000},
        {"samples": 1000, "seed": 0, "extractors": {}},
        made,
    )


def gallery(names):
    models = tuple(
        ModelPictures(
            name,
            sheet=png(place, 250),
            worst=(Picture(png(1, 28), "sample 3"),),
            best=(Picture(png(2, 28), "sample 4"),),
            copies=((Picture(png(3, 28), "sample 5"), Picture(png(4, 28), "training sample")),),
            projection=((0.0, 1.0), (1.0, 0.5)),
        )
        for place, name in enumerate(names)
    )
    shares = tuple((str(mode), 0.1) for mode in range(10))
    return Gallery(
        models,
        sheet=png(9, 250),
        projection=((0.5, 0.5), (0.2, 0.1)),
        modes={"2": Picture(png(5, 28), "2")},
        mode_shares=shares,
    )


@pytest.mark.parametrize(("width", "dark"), [(400, True), (1280, False)])
def test_everything_is_there_and_nothing_complains(tmp_path, width, dark):
    results = [result(f"runs/{name}.pt", fid) for name, fid in ((HOSTILE, 12.0), ("b", 8.0), ("=1+1", 8.1))]
    comparison = compare(results, baseline=results[0])
    path = tmp_path / "report.html"
    write_comparison_report(comparison, path, gallery([entry.name for entry in comparison.entries]))
    with open_page(path, width=width, dark=dark) as page:
        assert accessibility_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        text = page.inner_text("main")
        assert "Best by fid: b.pt; not told apart from =1+1.pt." in text
        assert "misses 2" in text
        assert "undefined" in text
        headings = page.locator("h2").all_inner_texts()
        assert headings[:2] == ["Verdict", "Scores"]
        alts = page.locator("img").evaluate_all("images => images.map(image => image.alt)")
        assert all(alts)
        assert "A real sample of the missing mode 2" in alts


def test_a_result_whose_reference_has_no_name(tmp_path):
    path = tmp_path / "report.html"
    nameless = replace(result("a", 9.0), reference={})
    write_comparison_report(compare([nameless, result("b", 11.0)]), path)
    assert "Comparison of 2 sources against mnist" in path.read_text(encoding="utf-8")
    write_comparison_report(compare([nameless, nameless]), path)
    assert "Comparison of 2 sources<" in path.read_text(encoding="utf-8")


def test_a_model_can_be_hidden_in_all_charts(tmp_path):
    path = tmp_path / "report.html"
    write_comparison_report(compare([result("a", 9.0), result("b", 11.0)]), path)
    with open_page(path) as page:
        parts = page.locator('svg [data-series="1"]')
        assert parts.first.is_visible()
        page.click('.legend button[data-toggles="1"]')
        assert not parts.first.is_visible()
        page.click('.legend button[data-toggles="1"]')
        assert parts.first.is_visible()


def test_sorting_by_a_score(tmp_path):
    path = tmp_path / "report.html"
    write_comparison_report(
        compare([result(str(place), fid) for place, fid in enumerate((9.0, 100.0, 11.0, 7.0, 8.0, 12.0))]), path
    )
    with open_page(path) as page:
        page.click("#table thead th:nth-child(2) button")

        values = page.locator("#table tbody td:nth-child(2)").evaluate_all(
            "cells => cells.map(cell => +cell.dataset.value)"
        )
        assert values == sorted(values)


@pytest.mark.parametrize("count", [3, 10])
def test_no_column_is_cut_off_on_paper(tmp_path, count):
    path = tmp_path / "report.html"
    write_comparison_report(compare([result(f"a-rather-long-name-{place}") for place in range(count)]), path)
    with open_page(path, width=700) as page:
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth") <= 700


def test_without_scripts_the_words_are_the_same(tmp_path):
    path = tmp_path / "report.html"
    write_comparison_report(compare([result("a", 9.0), result("b", 11.0)]), path)
    with open_page(path) as page:
        full = page.inner_text("main").split()
    with open_page(path, scripts=False) as page:
        assert page.inner_text("main").split() == full


def test_other_protocols_are_marked_with_what_differs(tmp_path):
    path = tmp_path / "report.html"
    write_comparison_report(compare([result("a"), result("b"), result("c", fingerprint="g")]), path)
    assert "not comparable" in path.read_text()


def state(path):
    (found,) = re.findall(r'class="verdict (\w+)"', path.read_text(encoding="utf-8"))
    return found


def sound(name, fid, *, step=None, **scores):
    """A Result without an undefined score, unless it is among these."""
    made = result(name, fid, scores=scores.items())
    kept = {key: score for key, score in made.scores.items() if key != "kid" or key in scores}
    return replace(made, source={**made.source, "step": step}, scores=kept)


def test_the_colour_of_the_verdict(tmp_path):
    path = tmp_path / "report.html"
    old, equal, worse = sound("old", 10.0), sound("new", 10.0), sound("new", 30.0)
    unsure = measured(1.0, stderr=0.5, error_method="made", better="lower", n_real=9, n_fake=9, unreliable="too few")
    nothing = undefined("too few", better="lower", n_real=9, n_fake=9)
    for sources, baseline, expected in (
        ([old, equal], old, "good"),
        ([old, worse], None, "good"),  # one is the best, and nobody asked for a baseline
        ([worse, old], worse, "good"),
        ([old, worse], old, "bad"),
        ([old, sound("new", 10.0, kid=unsure)], None, "warn"),
        ([old, sound("new", 10.0, kid=nothing)], None, "warn"),
        ([old, worse, result("c", fingerprint="g")], old, "bad"),
    ):
        write_comparison_report(compare(sources, baseline=baseline), path)
        assert state(path) == expected
    comparison = compare([old, equal])
    write_comparison_report(replace(comparison, failures=(Failure("x.pt", "it broke"),)), path)
    assert state(path) == "warn"


def test_a_fall_is_no_good_news(tmp_path):
    path, run = tmp_path / "report.html", tmp_path / "run"
    run.mkdir()
    for step, recall in ((100, 0.2), (200, 0.8), (300, 0.3)):
        score = measured(recall, stderr=0.01, error_method="made", better="higher", n_real=1000, n_fake=1000)
        sound("run", 10.0, step=step, recall=score).save(run / f"{step}.json")
    write_comparison_report(compare([run]), path)
    assert "recall fell at step 300" in path.read_text(encoding="utf-8")
    assert state(path) == "warn"


def test_each_warning_is_said_once(tmp_path):
    path = tmp_path / "report.html"
    results = [
        replace(result(f"runs/{name}.pt"), warnings=["weights of all", f"{name} alone"]) for name in ("one", "two")
    ]
    write_comparison_report(compare(results), path)
    page = path.read_text(encoding="utf-8").partition('id="table"')[0]
    assert "3 warnings" in page
    for words in ("weights of all", "one alone", "two alone"):
        assert page.count(words) == 1


def test_ten_models_and_five_metrics_stay_under_five_megabytes(tmp_path):
    comparison = compare([result(f"runs/{place}.pt", 8.0 + place) for place in range(10)])
    path = tmp_path / "report.html"
    write_comparison_report(comparison, path, gallery([entry.name for entry in comparison.entries]))
    assert path.stat().st_size < 5_000_000
