"""Pictures for a report: sheets, the samples that matter, missing modes, and where real and fake lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gandiag.core.errors import GandiagError
from gandiag.core.gallery import Gallery, ModelPictures, Picture, Points
from gandiag.core.modes import ClassModes
from gandiag.core.protocols import Dataset, ExtractorOptions, Source
from gandiag.core.result import Result
from gandiag.evaluation import plan
from gandiag.evaluation.generators import with_prior
from gandiag.evaluation.reference import Reference
from gandiag.evaluation.resolve import Access, Samples, open_source, reference_access
from gandiag.extractors import open_extractor
from gandiag.sources.png import encode_png, encode_sheet

CELLS = 64  # images of a sheet
SMALLEST = 16  # images of a sheet, however large they are
BUDGET = 2_400_000  # bytes of all sheets together, so that a page of ten models stays under 5 MB
MATTER = 12  # worst, best and copied samples of each model
MODES = 24  # missing modes that are shown
LOOKED_AT = 20_000  # real samples among which examples of modes are searched
PROJECTED = 400  # samples of each side on the map of features
LARGEST = 96  # pixels of a side above which the images of a sheet are made smaller


def make_gallery(
    sources: Sequence[Samples | None],
    results: Sequence[Result],
    access: Access,
    *,
    against: Samples | None = None,
) -> Gallery:
    """The pictures of sources and their Results, read again from the sources; what cannot be read becomes a note.

    Args:
        sources: as they were scored, one for each Result; None for one that is not at hand.
        results: of which `details` name the samples that matter.
        access: how they were opened.
        against: the reference; by default the dataset that the first source names.
    """
    notes: list[str] = []
    fakes = [_opened(each, access, notes) for each in sources]
    named = against
    if named is None:
        named = next((fake.info.dataset for fake in fakes if fake is not None and fake.info.dataset), None)
    real = None if named is None else _opened(named, reference_access(access), notes)
    fakes = [_following(fake, real, notes) for fake in fakes]
    everything = [source for source in (*fakes, real) if source is not None]
    pictures = all(len(source.info.shape) == 3 and source.info.shape[0] in (1, 3) for source in everything)
    planar = all(source.info.shape == (2,) for source in everything)
    sheets = iter(_sheets(everything) if pictures else ())
    projections = iter(_projections(everything, results, access) if real is not None else ())
    models = []
    for fake, result in zip(fakes, results, strict=True):
        name = str(result.source["name"])
        if fake is None:
            models.append(ModelPictures(name))
            continue
        models.append(
            ModelPictures(
                name,
                sheet=next(sheets, None),
                worst=_mattering(fake, result, "worst") if pictures else (),
                best=_mattering(fake, result, "best") if pictures else (),
                copies=_copies(fake, real, result) if pictures and real is not None else (),
                points=_points(fake) if planar else (),
                projection=next(projections, ()),
            )
        )
    if real is None:
        return Gallery(tuple(models), notes=tuple(notes))
    return Gallery(
        tuple(models),
        sheet=next(sheets, None),
        points=_points(real) if planar else (),
        projection=next(projections, ()),
        modes=_missing(real, results) if pictures else {},
        mode_shares=_mode_shares(real),
        notes=tuple(notes),
    )


def _opened(source: Samples | None, access: Access, notes: list[str]) -> Source | None:
    if source is None:
        return None
    try:
        return open_source(source, access)
    except GandiagError as error:  # such as statistics alone, which have no images
        notes.append(f"not shown: {error}")
        return None


def _following(fake: Source | None, real: Source | None, notes: list[str]) -> Source | None:
    """A generator whose labels follow the reference's, where that is what it wants."""
    try:
        return None if fake is None else with_prior(fake, Reference(real))
    except GandiagError as error:
        notes.append(f"not shown: {error}")
        return None


def _sheets(sources: Sequence[Source]) -> list[bytes]:
    """A sheet for each source, all with as many cells, fewer where the images are large."""
    cells = CELLS
    while True:
        sheets = [encode_sheet(_smaller(_first(source, cells))) for source in sources]
        if cells <= SMALLEST or sum(map(len, sheets)) <= BUDGET:
            return sheets
        cells = max(SMALLEST, cells // 2)


def _first(source: Source, count: int) -> Tensor:
    return source.read(0, min(count, source.info.size or count))


def _smaller(images: Tensor) -> Tensor:
    """Images of at most LARGEST pixels a side, by the mean of their pixels."""
    side = max(images.shape[-2:])
    if side <= LARGEST:
        return images
    factor = -(-side // LARGEST)
    return torch.nn.functional.avg_pool2d(images.float(), factor, ceil_mode=True).round().to(torch.uint8)


def _mattering(fake: Source, result: Result, which: str) -> tuple[Picture, ...]:
    for score in (result.scores[name] for name in sorted(result.scores) if name.partition("@")[0] == "fid"):
        found = score.details.get(which)
        if isinstance(found, Sequence):
            return tuple(
                Picture(_png(fake, int(each["fake"])), f"sample {int(each['fake']):,}")
                for each in map(_sample, found[:MATTER])
            )
    return ()


def _sample(entry: Any) -> Mapping[str, Any]:
    return entry if isinstance(entry, Mapping) else {"fake": entry}


def _copies(fake: Source, real: Source, result: Result) -> tuple[tuple[Picture, Picture], ...]:
    for name in sorted(result.scores):
        if name.partition("@")[0] != "copies":
            continue
        nearest = result.scores[name].details.get("nearest", ())[:MATTER]
        return tuple(
            (
                Picture(_png(fake, int(each["fake"])), f"sample {int(each['fake']):,}"),
                Picture(_png(real, int(each["real"])), f"training sample, distance {each['distance']:.3g}"),
            )
            for each in nearest
        )
    return ()


def _png(source: Source, index: int) -> bytes:
    return encode_png(_smaller(source.read(index, index + 1))[0])


def _points(source: Source) -> Points:
    return _pairs(_first(source, 1000))


def _missing(real: Source, results: Iterable[Result]) -> dict[str, Picture]:
    """A real example of each mode that some model misses, those that most models miss first."""
    if not isinstance(real, Dataset) or not isinstance(real.modes, ClassModes):
        return {}
    missed: dict[str, int] = {}
    for result in results:
        for name, score in result.scores.items():
            if name.partition("@")[0] == "modes":
                for mode in score.details.get("missing", ()):
                    missed[str(mode)] = missed.get(str(mode), 0) + 1
    wanted = sorted(missed, key=lambda mode: (-missed[mode], mode))[:MODES]
    if not wanted:
        return {}
    count = min(LOOKED_AT, real.info.size or LOOKED_AT)
    labels = real.labels(0, count)
    if labels is None:
        return {}
    classes = labels[:, None] if labels.ndim == 1 else labels
    places: dict[str, int] = {}
    for place, row in enumerate(classes.tolist()):
        places.setdefault("-".join(map(str, row)), place)
    return {mode: Picture(_png(real, places[mode]), mode) for mode in wanted if mode in places}


def _mode_shares(real: Source) -> tuple[tuple[str, float], ...]:
    if not isinstance(real, Dataset) or real.modes is None:
        return ()
    return tuple((real.modes.name(place), float(share)) for place, share in enumerate(real.modes.probabilities()))


def _projections(sources: Sequence[Source], results: Sequence[Result], access: Access) -> list[Points]:
    """Features of each source on the two directions in which those of all vary most."""
    names = [score.extractor for result in results for score in result.scores.values() if score.extractor]
    name = names[0] if names else plan.default_extractor(sources[-1], sources[0])
    try:
        extractor = open_extractor(name, ExtractorOptions(access.device, access.precision))
        found = [_features(extractor, _first(source, PROJECTED)) for source in sources]
    except GandiagError:  # a file's extractor, or weights that were given for the scores alone
        return []
    whole = torch.cat(found)
    centred = whole - whole.mean(dim=0)
    if min(centred.shape) < 2:
        return []
    if centred.shape[0] < centred.shape[1]:  # pixels of large images: their covariance would not fit
        directions = torch.linalg.svd(centred, full_matrices=False)[2][:2].T
    else:
        directions = torch.linalg.eigh(centred.T @ centred)[1][:, -2:].flip(1)
    # The sign of a direction is free: the largest coordinate is positive, so that a repeated report is the same.
    largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    plane = directions * largest.sign()
    return [_pairs(each @ plane) for each in torch.split(centred, [len(each) for each in found])]


def _features(extractor: Any, samples: Tensor) -> Tensor:
    parts = [extractor(part).features for part in torch.split(samples, extractor.info.batch_size)]
    features: Tensor = torch.cat(parts).double().cpu()
    return features


def _pairs(rows: Tensor) -> Points:
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in rows[:, :2].tolist())
