"""Making the page of a study: the images of its trials in one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.files import atomic_write
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import Source
from gandiag.evaluation.describe import describe_reference, describe_source
from gandiag.evaluation.environment import resolve_device
from gandiag.evaluation.generators import with_prior
from gandiag.evaluation.partners import check_fed, feeding
from gandiag.evaluation.reference import Reference
from gandiag.evaluation.resolve import Access, Samples, open_source, reference_access
from gandiag.sources.png import encode_png
from gandiag.study.page import study_page
from gandiag.study.questions import CATCH, REAL, Key, Question, Trial, choose_trials, scrambled, study_id

LARGEST = 200 * 2**20  # bytes of images that a browser still opens with ease


def make_study(
    sources: Sequence[Samples],
    out: str | os.PathLike[str],
    *,
    against: Samples | None = None,
    question: Question | None = None,
    trials: int = 120,
    catch: int = 12,
    inputs: Samples | None = None,
    seed: int = 0,
    device: str = "auto",
    data_root: str | os.PathLike[str] | None = None,
    download: bool = False,
    generator: GeneratorOptions | None = None,
) -> Key:
    """Write a page on which a person says what looks real; `read_study` makes scores of the answers.

    Two-alternative forced choice: for `real-or-fake` each image is judged alone, as in HYPE (arXiv 1904.01121); for
    `a-or-b` the better one of two is chosen. Catch trials show that a person looks: a scrambled image is not real.

    Args:
        sources: one or two, named as for `score`.
        out: the HTML file.
        against: the real images, which real-or-fake needs; by default the dataset that a checkpoint names.
        question: `real-or-fake`, or `a-or-b` for two sources; by default real-or-fake.
        trials: questions, half of them real images for real-or-fake.
        catch: catch trials beside them.
        inputs: images that image-to-image models are fed, as for `score`: two models are shown for the same input.
        seed: of the latents, of the choice and of the order.
        device: `auto`, `cpu`, `cuda` or `cuda:i`.
        data_root: folder with published datasets.
        download: fetch a missing published dataset into it.
        generator: how to use a file that holds a generator, where it does not say it itself.

    Raises:
        GandiagError: the sources cannot be read, are no images, or are too few.
    """
    if not 1 <= len(sources) <= 2:
        raise UsageError(f"a study is of one source or two, not {len(sources)}")
    question = question or "real-or-fake"
    chosen = choose_trials(question, len(sources), trials, catch, seed)
    access = feeding(
        Access(
            seed,
            resolve_device(device, "fp32"),
            data_root=None if data_root is None else Path(data_root),
            download=download,
            generator=generator or GeneratorOptions(),
        ),
        inputs,
    )
    opened = [open_source(each, access) for each in sources]
    if access.inputs is not None:
        opened = [check_fed(each) for each in opened]
    real = _real(opened, against, access) if question == "real-or-fake" else None
    opened = [with_prior(each, Reference(real)) for each in opened]
    roles = {str(place): source for place, source in enumerate(opened)} | ({} if real is None else {REAL: real})
    images = _images(roles, chosen, seed)
    total = sum(map(len, images.values()))
    if total > LARGEST:
        raise UsageError(f"the images take {total / 2**20:.0f} MiB, too much for one page; ask for fewer --trials")
    described = tuple(describe_source(source) for source in opened)
    digest = hashlib.sha256(b"".join(images[shown_] for trial in chosen for shown_ in trial.shown)).digest()
    key = Key(
        study=study_id(question, seed, described, digest),
        question=question,
        seed=seed,
        sources=described,
        reference=None if real is None else describe_reference(real.info.name, real.info.sha256, trials // 2),
        trials=chosen,
    )
    pictures = {trial.id: tuple(base64.b64encode(images[each]).decode() for each in trial.shown) for trial in chosen}
    with atomic_write(out) as temporary:
        temporary.write_text(study_page(key, pictures), encoding="utf-8")
    return key


def _real(opened: Sequence[Source], against: Samples | None, access: Access) -> Source:
    named = next((source.info.dataset for source in opened if source.info.dataset is not None), None)
    wanted = against if against is not None else named
    if wanted is None:
        raise UsageError("real-or-fake needs real images; name them with --against")
    real = open_source(wanted, reference_access(access))
    for source in opened:
        if source.info.shape != real.info.shape:
            shapes = f"{source.info.name} are {source.info.shape}, those of {real.info.name} {real.info.shape}"
            raise InputError(f"the images of {shapes}: people would know them by their size; use one shape")
    return real


def _images(roles: dict[str, Source], trials: Sequence[Trial], seed: int) -> dict[tuple[str, int], bytes]:
    """PNG of everything that is shown."""
    wanted = {shown_ for trial in trials for shown_ in trial.shown}
    found: dict[tuple[str, int], bytes] = {}
    for role, source in roles.items():
        count = max((index + 1 for name, index in wanted if name == role), default=0)
        if source.info.size is not None and source.info.size < count:
            message = f"{shown(source.info.name)} has {source.info.size} images, and the study takes {count} of it"
            raise InputError(f"{message}; ask for fewer --trials")
        if len(source.info.shape) != 3:
            raise InputError(f"a study shows images, and {shown(source.info.name)} has points {source.info.shape}")
        pixels = source.read(0, count)
        found |= {(role, index): encode_png(pixels[index]) for index in range(count) if (role, index) in wanted}
    model = next(iter(roles.values()))
    scrambles = sorted(index for name, index in wanted if name == CATCH)
    if scrambles:
        pixels = model.read(0, min(max(scrambles) + 1, model.info.size or max(scrambles) + 1))
        for index in scrambles:
            image = pixels[index % len(pixels)].cpu().numpy()
            found[CATCH, index] = encode_png(scrambled(image, seed, index))
    return found
