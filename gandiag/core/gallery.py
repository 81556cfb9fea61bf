"""Pictures that a report shows beside the numbers; no torch, so that reports can hold them."""

from __future__ import annotations

from dataclasses import dataclass, field

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Picture:
    """One image as PNG, and what is to be said of it."""

    png: bytes
    caption: str


@dataclass(frozen=True)
class ModelPictures:
    """What one model made.

    Attributes:
        name: of the model, as in its Result.
        sheet: many images on one; the same cell of every model's sheet has the same noise. None for points.
        worst, best: samples that raise and that lower the FID most.
        copies: near-copies, each with the training sample that it is near.
        points: samples of a model of points in the plane.
        projection: samples on the plane in which the features of real and fake vary most.
    """

    name: str
    sheet: bytes | None = None
    worst: tuple[Picture, ...] = ()
    best: tuple[Picture, ...] = ()
    copies: tuple[tuple[Picture, Picture], ...] = ()
    points: Points = ()
    projection: Points = ()


@dataclass(frozen=True)
class Gallery:
    """The pictures of a comparison.

    Attributes:
        models: in the order of the comparison.
        sheet: real images.
        points, projection: as of a model, of the real samples.
        modes: a real example of modes that a model misses, by the mode's name.
        mode_shares: name of each mode of the reference, and its share.
        notes: what could not be shown, and why.
    """

    models: tuple[ModelPictures, ...]
    sheet: bytes | None = None
    points: Points = ()
    projection: Points = ()
    modes: dict[str, Picture] = field(default_factory=dict)
    mode_shares: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
