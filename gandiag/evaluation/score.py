"""Scoring: one source against one reference, by metrics that are named."""

from __future__ import annotations

import os
from collections.abc import Sequence

from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import Conditioning, ImageSpec, Latent, Precision, ProgressCallback
from gandiag.core.result import Result
from gandiag.evaluation.resolve import Samples
from gandiag.evaluation.scorer import Scorer, Settings


def score(
    source: Samples,
    metrics: Sequence[str] | str | None = None,
    *,
    against: Samples | None = None,
    held_out: Samples | None = None,
    inputs: Samples | None = None,
    targets: Samples | None = None,
    cycle: Samples | None = None,
    samples: int | None = None,
    seed: int = 0,
    extractor: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    preprocessing: str | None = None,
    like: str | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    compiled: bool = False,
    batch_size: int | None = None,
    data_root: str | os.PathLike[str] | None = None,
    download: bool = False,
    latent: Latent | None = None,
    image: ImageSpec | None = None,
    conditioning: Conditioning | None = None,
    cache: str | os.PathLike[str] | bool = False,
    progress: ProgressCallback | None = None,
    generator: GeneratorOptions | None = None,
) -> Result:
    """Score samples against a reference.

    Args:
        source: a checkpoint, a folder of images, an array file, a dataset's name (`NAME` or `NAME:SPLIT`); or a
            network, a function `noise -> images`, a tensor of images or points, a torch dataset.
        metrics: names or aliases, such as `fid`, `is`, `pr`, `modes`; `NAME@EXTRACTOR` asks for another extractor;
            `all`; by default those of fid, is, pr and modes that the reference and its extractor allow.
        against: the reference, named as the source, or a statistics file; by default the dataset that a checkpoint
            names, or a dataset itself.
        held_out: other real samples than the reference, for the metrics that need some; by default the test split of
            a dataset of which the reference is the training split.
        inputs: images that an image-to-image model is fed in place of noise, named as the source, in the order of their
            names: sample i is what the model makes of input i. `generator=GeneratorOptions(input_range=...)` says the
            values that it takes, where its file does not.
        targets: the image that is wanted for each input, or for each sample where there are no inputs; files are paired
            by their names. For `psnr` and `ssim`; without `against` and a dataset they are the reference too.
        cycle: the model that leads back from what the first one makes to its inputs, for `cycle_error`.
        samples: of the source; by default what the reference's protocol has. A reference that is drawn gives as many,
            one that is stored gives all it has.
        seed: of the latents, and of the halves that error bars come from.
        extractor: in place of the reference's own: a name, or a TorchScript or torch.export file.
        weights: file with other weights for the extractor.
        preprocessing: `tf1`, `pytorch-fid`, `clean`, `antialias` or `bicubic`, in place of the extractor's own.
        like: `torch-fidelity`, `pytorch-fid`, `clean-fid`, `torchmetrics`, `stylegan3`, `adm` or `prdc`: the protocol
            of that tool, for all that is not said here.
        device: `auto`, `cpu`, `cuda` or `cuda:i`.
        precision: `fp32`, `tf32` or `bf16`; goes into the fingerprint.
        compiled: compile the extractor's network, which starts slower and runs faster.
        batch_size: samples at a time; by default what suits the extractors.
        data_root: folder with published datasets.
        download: fetch a missing published dataset into it.
        latent, image: what a network or function takes and gives.
        conditioning: the labels that it takes too, if any.
        cache: folder in which features are kept from run to run, or true for the user's own.
        progress: told as the work goes on.
        generator: what a file does not say of its generator: the network, latents, labels, values.

    Raises:
        GandiagError: the input or an option cannot be used; the message says which and what to do.
    """
    scorer = Scorer(
        Settings(
            metrics=metrics,
            against=against,
            held_out=held_out,
            inputs=inputs,
            targets=targets,
            cycle=cycle,
            samples=samples,
            seed=seed,
            extractor=extractor,
            weights=weights,
            preprocessing=preprocessing,
            like=like,
            device=device,
            precision=precision,
            compiled=compiled,
            batch_size=batch_size,
            data_root=data_root,
            download=download,
            cache=cache,
            progress=progress,
            generator=generator or GeneratorOptions(),
        )
    )
    return scorer.score(scorer.open(source, latent=latent, image=image, conditioning=conditioning))
