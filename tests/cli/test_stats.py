from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from gandiag.datasets import load_dataset
from gandiag.evaluation.statistics import build_statistics
from gandiag.statistics.frechet import frechet_distance
from gandiag.statistics.moments import moments
from gandiag.statistics.statistics_file import read_statistics


@pytest.fixture
def ring_file(gandiag_command, tmp_path):
    path = tmp_path / "ring.stats"
    finished = gandiag_command("stats", "build", "ring8", "-n", 500, "--out", path)
    assert finished.code == 0, finished.err
    assert finished.out == ""
    assert "500 samples of ring8, pixels" in finished.err
    return path


def test_statistics_are_those_of_the_reference_that_score_takes(ring_file):
    from gandiag.core import seeds

    read = read_statistics(ring_file)
    dataset = load_dataset("ring8", split="train", seed=seeds.integer(0, "reference"))
    samples = dataset.read(0, 500)
    assert torch.equal(read.moments.rows, samples)
    assert read.source_sha256 == dataset.info.sha256
    assert (read.samples, read.extractor, read.name) == (500, "pixels", "ring8")
    assert read.protocol["quantisation"] == "none"
    assert read.protocol["source"]["shape"] == [2]


def test_more_samples_than_rows_that_are_kept(gandiag_command, tmp_path):
    path = tmp_path / "ring.stats"
    assert gandiag_command("stats", "build", "ring8", "-n", 9000, "--out", path, "--batch-size", 1000).code == 0
    read = read_statistics(path)
    assert read.moments.count == 9000
    assert len(read.moments.rows) == 8192
    whole = build_statistics("ring8", samples=9000, batch_size=500).moments.whole
    assert frechet_distance(real=read.moments.whole, fake=whole).distance < 1e-12


def test_all_images_of_a_folder_or_array_are_taken(gandiag_command, tmp_path, normal):
    np.save(tmp_path / "points.npy", normal(70, 3).numpy())
    assert gandiag_command("stats", "build", tmp_path / "points.npy", "--out", tmp_path / "p.stats").code == 0
    read = read_statistics(tmp_path / "p.stats")
    assert read.samples == 70
    assert read.extractor == "pixels"


def test_other_tools_get_their_format(gandiag_command, ring_file, tmp_path):
    words = ("stats", "build", "ring8", "-n", 500, "--format", "pytorch-fid", "--out", tmp_path / "ring.npz")
    assert gandiag_command(*words).code == 0
    with np.load(tmp_path / "ring.npz", allow_pickle=False) as found:
        rows = read_statistics(ring_file).moments.rows
        np.testing.assert_allclose(found["sigma"], moments(rows).covariance.numpy(), rtol=1e-12)


def test_show_says_what_a_file_is(gandiag_command, ring_file):
    finished = gandiag_command("stats", "show", ring_file)
    assert finished.code == 0, finished.err
    for word in ("ring8", "pixels", "500", "covariance trace", "precision", "fp32", "source sha256"):
        assert word in finished.out
    assert finished.err == ""


def test_show_warns_of_what_a_file_does_not_say(gandiag_command, tmp_path, normal):
    np.savez(tmp_path / "ref.npz", mu=np.zeros(3), sigma=np.eye(3))
    finished = gandiag_command("stats", "show", tmp_path / "ref.npz")
    assert "covariance over N - 1" in finished.out
    assert "warning: ref.npz does not say which tool wrote it" in finished.err
    told = gandiag_command("stats", "show", tmp_path / "ref.npz", "--convention", "stylegan", "-n", 100)
    assert "covariance over N," in told.out
    assert "which tool" not in told.err


def test_json_to_stdout_is_one_document_and_nothing_else(gandiag_command, ring_file):
    document = json.loads(gandiag_command("stats", "show", ring_file, "--json", "-").out)
    assert document["samples"] == 500
    assert document["covariance_trace"] > 0
    assert document["warnings"] == []


def test_json_to_a_file(gandiag_command, ring_file, tmp_path):
    finished = gandiag_command("stats", "show", ring_file, "--json", tmp_path / "out.json")
    assert "ring8" in finished.out
    assert json.loads((tmp_path / "out.json").read_text())["name"] == "ring8"


def test_list_names_the_files_of_a_folder(gandiag_command, ring_file, tmp_path):
    np.savez(tmp_path / "images.npz", np.zeros((4, 8, 8, 3), np.uint8))
    finished = gandiag_command("stats", "list", tmp_path)
    lines = finished.out.splitlines()
    assert len(lines) == 2
    assert lines[1].split() == ["ring.stats", "gandiag", "ring8", "pixels", "500", "0.0", "MiB"]


def test_an_empty_folder_is_said_to_be_one(gandiag_command, tmp_path):
    finished = gandiag_command("stats", "list", tmp_path)
    assert (finished.code, finished.out) == (0, "")
    assert "no statistics files" in finished.err


@pytest.mark.parametrize(
    "words",
    [
        ("build", "ring8"),
        ("build", "ring9", "--out", "x.stats"),
        ("build", "ring8", "--out", "x.stats", "-n", 1),
        ("build", "ring8", "--out", "x.stats", "--extractor", "pixel"),
        ("build", "ring8", "--out", "x.stats", "--extractor", "digits"),
        ("build", "ring8", "--out", "x.stats", "--preprocessing", "clean"),
        ("build", "ring8", "--out", "."),
        ("show", "missing.npz"),
        ("list", "missing"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(refused, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert "error: " in refused("stats", *words)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_file_is_one_clear_line(refused, tmp_path):
    (tmp_path / "cache.pkl").write_bytes(b"\x80\x04}.")
    assert "pickle" in refused("stats", "show", tmp_path / "cache.pkl")
    np.savez(tmp_path / "ref.npz", mu=np.zeros(3), sigma=np.eye(3))
    line = refused("stats", "show", tmp_path / "ref.npz", "--convention", "clean")
    assert "did you mean 'clean-fid'" in line
