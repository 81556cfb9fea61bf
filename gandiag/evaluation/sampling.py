"""Samples of a source written to files: the very ones that a score of the source looks at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from gandiag.core.errors import GandiagError
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import Conditioning, ImageSpec, Latent, Precision, ProgressCallback, Source
from gandiag.core.whole_number import whole_number
from gandiag.evaluation import environment, plan
from gandiag.evaluation.batches import Batch, batches, fitting_batch
from gandiag.evaluation.extract import BATCH, labels_of
from gandiag.evaluation.partners import check_fed, feeding
from gandiag.evaluation.resolve import Access, Samples, open_dataset, open_source
from gandiag.evaluation.sides import Meter
from gandiag.sources.export import place_of, write_samples


def sample(
    source: Samples,
    out: str | os.PathLike[str],
    *,
    inputs: Samples | None = None,
    samples: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "fp32",
    batch_size: int | None = None,
    data_root: str | os.PathLike[str] | None = None,
    download: bool = False,
    latent: Latent | None = None,
    image: ImageSpec | None = None,
    conditioning: Conditioning | None = None,
    generator: GeneratorOptions | None = None,
    progress: ProgressCallback | None = None,
) -> int:
    """Write the samples that a score of the source with the same seed looks at, and return how many.

    A score of what was written is that of the source. Images are PNG, and sample i is file i.

    Args:
        source: a checkpoint, or whatever else `score` takes; of images in files the pixels are written.
        out: a new folder, or `FILE.zip` with images in it, or `FILE.npz` with `arr_0`, uint8 (n, H, W, C), and the
            classes `arr_1` of a conditional generator, as ADM's sample files are.
        inputs: images that an image-to-image model is fed, as for `score`: sample i is what it makes of input i.
        samples: how many; by default as many as a score takes: with `inputs`, one for each.
        seed: of the latents and labels.
        device: `auto`, `cpu`, `cuda` or `cuda:i`.
        precision: of the generator: `fp32`, `tf32` or `bf16`.
        batch_size: samples at a time; 512 by default.
        data_root: folder with published datasets.
        download: fetch a missing published dataset into it.
        latent, image: what a network or function takes and gives.
        conditioning: the labels that it takes too, if any.
        generator: how to use a file that holds a generator, where it does not say it itself.
        progress: told as the work goes on.

    Raises:
        GandiagError: the source cannot be read, or the files cannot be written; nothing half-written stays.
    """
    samples = None if samples is None else whole_number("samples", samples, 1)
    batch_size = None if batch_size is None else whole_number("batch_size", batch_size, 1)
    seed = whole_number("seed", seed)
    device = environment.resolve_device(device, precision)
    root = None if data_root is None else Path(data_root)
    access = feeding(
        Access(seed, device, precision, data_root=root, download=download, generator=generator or GeneratorOptions()),
        inputs,
    )
    opened = open_source(source, access, latent=latent, image=image, conditioning=conditioning)
    place_of(out, opened.info)  # before the work, what is wrong with it
    wanted = samples
    if access.inputs is not None:
        wanted = check_fed(opened).info.size if samples is None else samples
    count = plan.sample_count(opened, _reference(opened, access), wanted)
    meter = Meter(progress, "samples", count)
    write_samples(
        _made(opened, count, batch_size or fitting_batch(BATCH, opened.info.shape), meter),
        out,
        opened.info,
        count=count,
        seed=seed,
    )
    return count


def _made(source: Source, count: int, size: int, meter: Meter) -> Iterator[tuple[Tensor, Tensor | None]]:
    def look(batch: Batch) -> Tensor | None:
        return None if batch.samples is None else batch.samples.cpu()

    for batch, found in batches(source, look, 0, count, size, "cpu", lambda message: None):
        if found is not None:
            yield found, labels_of(source, batch.start, batch.stop)
            meter(len(found))
    settle = getattr(source, "settle", None)
    if settle is not None:
        settle()


def _reference(source: Source, access: Access) -> Source | None:
    """The dataset that a checkpoint names, whose protocol says how many samples a score takes."""
    if source.info.dataset is None or source.info.kind == "dataset":
        return None
    with suppress(GandiagError):
        return open_dataset(source.info.dataset, access)
    return None
