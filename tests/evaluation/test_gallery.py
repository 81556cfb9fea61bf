"""Pictures for a report."""

from __future__ import annotations

import pytest
import torch

import gandiag
from gandiag import ImageSpec, Latent, UsageError
from gandiag.evaluation.gallery import make_gallery
from gandiag.evaluation.resolve import Access
from gandiag.sources.generator import generator_source
from gandiag.sources.labels import Labels


def scored(source, metric, **options):
    return gandiag.score(source, metric, **options)


def following():
    """A generator whose labels are to be distributed as the reference's."""

    def generator(noise, labels):
        return (noise[:, :1, None, None] * 0.1 + labels[:, None, None, None] / 5 - 1).tanh().expand(-1, 1, 28, 28)

    image, labels = ImageSpec((1, 28, 28)), Labels(10, "prior")
    return generator_source(generator, name="following", latent=Latent(2), image=image, labels=labels)


def test_a_generator_that_follows_the_references_labels_is_shown():
    fake = following()
    result = scored(fake, "fid", against="mnist:test", extractor="pixels", samples=100)
    found = make_gallery([fake], [result], Access(), against="mnist:test")
    assert found.models[0].sheet is not None
    assert found.notes == ()
    # Without a reference there is nothing to follow: that is a note, and no error.
    assert "--labels prior" in make_gallery([fake], [result], Access()).notes[0]


def test_the_map_of_a_few_large_images_needs_no_covariance():
    noise = torch.randint(0, 256, (8, 3, 128, 128), generator=torch.Generator().manual_seed(0)).byte()
    real, fake = noise, 255 - noise
    result = scored(fake, "pr", against=real, extractor="pixels")
    found = make_gallery([fake], [result], Access(), against=real)
    rows = torch.tensor([*found.models[0].projection, *found.projection])
    # Each negative is as far from the middle as its image, on the other side: the first direction holds half of them.
    torch.testing.assert_close(rows[:8], -rows[8:], rtol=1e-3, atol=1e-2)


def test_a_study_of_a_generator_that_follows_labels(tmp_path):
    gandiag.make_study([following()], tmp_path / "study.html", against="mnist:test", trials=4, catch=1)
    assert (tmp_path / "study.html").exists()
    with pytest.raises(UsageError, match="--labels prior"):
        gandiag.make_study([following()] * 2, tmp_path / "other.html", question="a-or-b", trials=4, catch=1)
