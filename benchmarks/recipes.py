"""What each reference model reaches in a given time: every recipe on the data that suits it, several seeds.

    python benchmarks/recipes.py                              # three seeds: many hours
    python benchmarks/recipes.py --only r3gan,pacgan --data stacked-mnist
    python benchmarks/recipes.py --docs                       # the table so far into docs/reference-results.md

A run takes two minutes on points and five on digits, unless told otherwise. Stop it when you like: a run that is done
is a row in benchmarks/rows, one that is under way is resumed. The row of a recipe that has since been changed does not
count. The number of steps is what fits into the time, by a few timed steps, so that the learning rate has fallen at the
end; nothing else should run beside it.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ledger import ROOT, ROWS, Ledger, fingerprint, write_page

sys.path[0] = str(ROOT)  # not this folder, where other benchmarks have the names of packages
PAGE = ROOT / "docs" / "reference-results.md"
POINTS = ("ring8", "grid25")
DATA: dict[str, tuple[str, ...]] = {
    "vanilla": POINTS,
    "dcgan": ("stacked-mnist",),
    "cgan": ("mnist", "stacked-mnist", *POINTS),
    "acgan": ("mnist", *POINTS),
    **dict.fromkeys(("lsgan", "hinge", "sngan", "wgan", "wgan_gp", "dragan"), ("stacked-mnist", *POINTS)),
    **dict.fromkeys(("r3gan", "pacgan", "vaegan"), ("stacked-mnist", *POINTS)),
    **dict.fromkeys(("progressive", "stylegan"), ("stacked-mnist",)),
    **dict.fromkeys(("srgan", "cyclegan"), ("mnist",)),
}
METRICS = ("modes", "fid", "pr")
COLUMNS = {
    "steps": "steps",
    "seconds": "seconds",
    "modes": "modes",
    "mode_kl": "KL",
    "confidence": "confidence",
    "high_quality": "high quality",
    "fid": "FID",
    "fid_bicubic": "FID of bicubic",
    "precision": "precision",
    "recall": "recall",
    "label_accuracy": "asked label",
    "psnr": "PSNR",
    "psnr_bicubic": "PSNR of bicubic",
    "ssim": "SSIM",
    "ssim_bicubic": "SSIM of bicubic",
    "perceptual_distance": "perceptual distance",
    "perceptual_distance_bicubic": "that of bicubic",
    "cycle_error": "cycle error",
    "target_error": "target error",
    "label_kept": "label kept",
}
PLACES = {"steps": 0, "seconds": 0, "modes": 1}
POINTS_MINUTES, MINUTES = 2.0, 5.0
UNFELT = ("summary", "steps", "save_every", "preview_every")  # of a recipe, by a run whose length is given
FEWEST = 100  # steps, however slow the machine is


@dataclass(frozen=True)
class Published:
    """A figure of a paper: modes covered, and the share of high quality of points or the KL of stacked digits."""

    source: str
    recipe: str
    dataset: str
    modes: float
    quality: float


PACGAN, GDPP = "PacGAN, arXiv:1712.04086", "GDPP, arXiv:1812.00068"
PUBLISHED = (
    Published(f"{PACGAN}, GAN", "vanilla", "ring8", 6.3, 0.982),
    Published(f"{PACGAN}, GAN", "vanilla", "grid25", 17.3, 0.948),
    Published(f"{PACGAN}, PacGAN2", "pacgan", "ring8", 7.9, 0.956),
    Published(f"{PACGAN}, PacGAN2", "pacgan", "grid25", 23.8, 0.913),
    Published(f"{PACGAN}, PacDCGAN2, D of half G's size", "pacgan", "stacked-mnist", 840.7, 1.0),
    Published(GDPP, "wgan_gp", "ring8", 6.8, 0.596),
    Published(GDPP, "wgan_gp", "grid25", 24.2, 0.287),
    Published("MEG, arXiv:1901.08508", "wgan_gp", "stacked-mnist", 959.0, 0.7276),
    Published("R3GAN, arXiv:2501.05441", "r3gan", "stacked-mnist", 1000, 0.029),
)


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        recipe: its name.
        dataset: what it imitates.
        seed: of all that is drawn.
        minutes: of training, where the steps are as many as fit.
        overrides: of the recipe.
        variant: what those make of it, in a word.
        steps: of training, whatever time they take.
    """

    recipe: str
    dataset: str
    seed: int
    minutes: float = MINUTES
    overrides: tuple[str, ...] = ()
    variant: str = ""
    steps: int | None = None

    @property
    def name(self) -> str:
        what = f"{self.recipe}-{self.variant}" if self.variant else self.recipe
        length = f"{self.steps}steps" if self.steps else f"{self.minutes:g}min"
        return f"{what}-{self.dataset}-{length}-{self.seed}"

    def settings(self) -> dict[str, Any]:
        """All that decides the training, besides its length."""
        from reference_models.recipe import load_recipe

        recipe = asdict(load_recipe(self.recipe, self.dataset, overrides=self.overrides))
        return {key: value for key, value in recipe.items() if key not in UNFELT}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is left to do, and show the table."""
    options = _options(arguments)
    jobs = [
        Job(recipe, dataset, seed, options.minutes or (POINTS_MINUTES if dataset in POINTS else MINUTES))
        for seed in range(options.seeds)
        for recipe, datasets in DATA.items()
        for dataset in datasets
        if (not options.only or recipe in options.only) and (not options.data or dataset in options.data)
    ]
    if options.threads is not None:
        import torch

        torch.set_num_threads(options.threads)
    rows = done(jobs, Ledger(options.rows), None if options.collect else options.out, options.samples)
    text = page(rows)
    if options.docs:
        write_page(PAGE, text, rows)
    print(text)
    return 0


def done(jobs: Sequence[Job], ledger: Ledger, out: Path | None, samples: int | None) -> list[dict[str, Any]]:
    """The rows of the jobs; one that is not in the ledger is run into `out`, or left out if that is None."""
    rows = []
    for job in jobs:
        settings = job.settings()
        row = ledger.find(job.name, settings)
        if row is None and out is not None:
            print(f"{job.name} ...", file=sys.stderr, flush=True)
            row = run(job, out / f"{job.name}-{fingerprint(settings)}", samples)
            ledger.add(job.name, settings, row)
        if row is not None:
            rows.append(row)
    return rows


def run(job: Job, folder: Path, samples: int | None) -> dict[str, Any]:
    """Train, or go on with what was begun, and score."""
    import torch

    from gandiag import TrainingRequest, load_checkpoint, score
    from reference_models.trainer import TRAINER

    resume = (folder / "state.pt").exists()
    if resume:
        steps = int(json.loads((folder / "config.json").read_text(encoding="utf-8"))["steps"])
    else:
        steps = job.steps or _steps(job, folder)
    request = TrainingRequest(
        recipe=job.recipe,
        out=folder,
        dataset=job.dataset,
        seed=job.seed,
        steps=steps,
        resume=resume,
        overrides=(*job.overrides, *_overrides(job.recipe, steps)),
    )
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed before it saved anything
    path = TRAINER.train(request, lambda progress: None)
    found = load_checkpoint(path)
    if found.latent is None:  # an image-to-image model, which scored itself
        values = json.loads(path.with_name("scores.json").read_text(encoding="utf-8"))["scores"]
        values |= fid_of_enlarged(path, job.dataset)
        confidence = None
    else:
        result = score(path, list(METRICS), samples=samples, device="cpu")
        values = {name: found.value for name, found in result.scores.items() if found.value is not None}
        confidence = result.scores["modes"].details.get("mean_confidence")
    return {
        "recipe": job.recipe,
        "variant": job.variant,
        "dataset": job.dataset,
        "seed": job.seed,
        "minutes": None if job.steps else job.minutes,
        "steps": found.step,
        "seconds": found.metadata["seconds"],
        "threads": torch.get_num_threads(),
        "machine": f"{platform.processor() or platform.machine()}, torch {torch.__version__}",
        "scores": values
        | ({} if confidence is None else {"confidence": confidence})
        | ({} if found.conditioning is None else {"label_accuracy": label_accuracy(path, job.dataset, samples)}),
    }


def fid_of_enlarged(path: Path, dataset: str) -> dict[str, float]:
    """FID of held-out images made small and enlarged again, by a checkpoint and by bicubic interpolation.

    Nothing, where the checkpoint's images are as large as what it is given.
    """
    from gandiag import load_checkpoint, load_dataset, score
    from reference_models.networks.resampling import bicubic, shrunk
    from reference_models.training.data import to_range

    found = load_checkpoint(path)
    scale = 1 if found.input is None else found.image.shape[-1] // found.input.shape[-1]
    if scale == 1:
        return {}
    held_out, reference = load_dataset(dataset, split="test"), f"{dataset}:test"
    small = shrunk(to_range(held_out.read(0, held_out.info.size or held_out.samples)), scale)
    scores = {
        "fid": score(path, "fid", inputs=(small + 1) / 2, against=reference, device="cpu"),
        "fid_bicubic": score((bicubic(small, scale).clamp(-1, 1) + 1) / 2, "fid", against=reference, device="cpu"),
    }
    return {name: value for name, result in scores.items() if (value := result.scores["fid"].value) is not None}


def label_accuracy(path: Path, dataset: str, samples: int | None) -> float:
    """Share of the samples of a conditional checkpoint that are of the class that was asked for.

    The class of a digit is what the `digits` classifier says of every channel, that of a point the nearest centre.
    """
    import torch

    from gandiag import load_checkpoint, load_dataset
    from gandiag.core.modes import MixtureModes
    from gandiag.core.protocols import ExtractorOptions
    from gandiag.extractors import open_extractor
    from gandiag.sources.generator import checkpoint_source

    source, data = checkpoint_source(load_checkpoint(path)), load_dataset(dataset)
    extractor = open_extractor(data.extractor, ExtractorOptions())
    count, right = samples or data.samples, 0
    for start in range(0, count, 500):
        stop = min(start + 500, count)
        asked, made = source.labels(start, stop), source.read(start, stop)
        given = torch.zeros(len(made), dtype=torch.int64)
        if isinstance(data.modes, MixtureModes):
            given = torch.cdist(made.double(), torch.from_numpy(data.modes.centres)).argmin(1)
        elif (logits := extractor(made).logits) is not None:
            for digit in logits.argmax(2).unbind(1):
                given = given * 10 + digit
        right += 0 if asked is None else int((given == asked).sum())
    return right / count


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The documentation's page: a table for each dataset, mean and standard deviation over the seeds."""
    lines = [
        "# What the reference models reach",
        "",
        "Made by `python benchmarks/recipes.py --docs`: as many steps as fit into the minutes that a table names.",
        "Mean and standard deviation over the seeds. KL is `mode_kl`, in nats; confidence",
        "is the mean confidence of the digits classifier; the asked label is the share of samples whose class, by that",
        "classifier, is the one that was asked for; on stacked MNIST it is one of 1,000, of which chance is",
        "0.001. Metrics and their numbers of samples are gandiag's defaults.",
        "Other runs went on beside these on the same machine, so that steps and seconds are worse than on a quiet one.",
        "Errors of `cyclegan` are mean absolute ones, black to white being 1; its label is kept where the classifier",
        "still reads it. `srgan` makes 28 x 28 pixels of 7 x 7. Both are scored on 500 held-out images;",
        "its FID is of all of them, against themselves as they were.",
        "",
    ]
    for dataset, model in dict.fromkeys((row["dataset"], _image_to_image(row)) for row in rows):
        chosen = [row for row in rows if (row["dataset"], _image_to_image(row)) == (dataset, model)]
        shown = [key for key in COLUMNS if any(_value(row, key) is not None for row in chosen)]
        minutes = " or ".join(f"{each:g}" for each in dict.fromkeys(row["minutes"] for row in chosen))
        lines += [
            f"## {dataset}, {minutes} minutes{f', `{model}`' if model else ''}",
            "",
            f"| recipe | seeds | {' | '.join(COLUMNS[key] for key in shown)} |",
        ]
        lines.append(f"| --- | --- | {' | '.join('---' for _ in shown)} |")
        for recipe in dict.fromkeys(row["recipe"] for row in chosen):
            mine = [row for row in chosen if row["recipe"] == recipe]
            cells = [_cell([_value(row, key) for row in mine], PLACES.get(key)) for key in shown]
            lines.append(f"| `{recipe}` | {len(mine)} | {' | '.join(cells)} |")
        lines.append("")
    machines = sorted({f"{row['machine']}, threads of a run: {row['threads']}" for row in rows})
    lines += [f"Measured on: {'; '.join(machines) or 'nothing yet'}.", "", *_beside_published(rows), ""]
    return "\n".join(lines)


def _beside_published(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What others reached, and whether less is reached here."""
    lines = [
        "## Beside published runs",
        "",
        "They took far longer, and other networks; the widths of mixtures differ. Quality is the share of",
        "samples of high quality on points, and the KL on stacked MNIST.",
        "",
        "| source | data | recipe | modes | here | quality | here | worse here |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for entry in PUBLISHED:
        mine = [row for row in rows if (row["recipe"], row["dataset"]) == (entry.recipe, entry.dataset)]
        key, sign = ("high_quality", 1) if entry.dataset in POINTS else ("mode_kl", -1)
        modes, quality = (
            [value for row in mine if (value := _value(row, each)) is not None] for each in ("modes", key)
        )
        worse = ""
        if modes and quality:
            fewer = statistics.fmean(modes) < entry.modes
            poorer = sign * statistics.fmean(quality) < sign * entry.quality
            worse = " and ".join(word for word, true in (("modes", fewer), ("quality", poorer)) if true) or "no"
        cells = (f"{entry.modes:,g}", _cell(modes, 1), f"{entry.quality:g}", _cell(quality, None), worse)
        lines.append(f"| {entry.source} | {entry.dataset} | `{entry.recipe}` | {' | '.join(cells)} |")
    return lines


def _image_to_image(row: Mapping[str, Any]) -> str | None:
    """The model's name, where it has scores of its own kind."""
    return None if "modes" in row["scores"] else str(row["recipe"])


def _value(row: Mapping[str, Any], key: str) -> float | None:
    found = row.get(key, row["scores"].get(key))
    return None if found is None else float(found)


def _cell(values: Sequence[float | None], places: int | None) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean = statistics.fmean(known)
    digits = places if places is not None else (1 if abs(mean) >= 10 else 3)
    spread = f" ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else ""
    return f"{mean:,.{digits}f}{spread}"


def _overrides(recipe: str, steps: int) -> tuple[str, ...]:
    """The growth fits into however many steps there are, in the shipped recipe's proportions."""
    if recipe != "progressive":
        return ()
    table = "techniques.progressive_growing"
    return f"{table}.stage={max(1, steps // 6)}", f"{table}.fade={max(1, steps // 12)}"


def _steps(job: Job, folder: Path) -> int:
    from gandiag import TrainingRequest
    from reference_models.trainer import decide
    from reference_models.training.loops import prepare
    from reference_models.training.outline import time_steps

    probe = folder.with_name(f"{folder.name}-probe")
    chosen, _ = decide(TrainingRequest(job.recipe, probe, job.dataset, seed=job.seed, overrides=job.overrides))
    middle = chosen.steps // 2  # where a network that grows is as large as on most steps
    seconds, _ = time_steps(prepare(chosen), middle, chosen.steps)
    return max(FEWEST, int(60 * job.minutes / seconds))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="of training, each run (default 2 on points and 5 on digits)")
    parser.add_argument("--seeds", type=int, default=3, help="how many (default 3)")
    parser.add_argument("--only", type=_names, default=(), help="recipes, separated by commas")
    parser.add_argument("--data", type=_names, default=(), help="datasets, separated by commas")
    parser.add_argument("--samples", type=int, help="of each score (default: the dataset's own number)")
    parser.add_argument("--threads", type=int, help="of PyTorch")
    parser.add_argument("--out", type=Path, default=Path("runs") / "reference-models", help="where runs go")
    parser.add_argument("--rows", type=Path, default=ROWS / "recipes.jsonl", help="the file of what they gave")
    parser.add_argument("--collect", action="store_true", help="train nothing: show the rows that are there")
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    return parser.parse_args(arguments)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    known = {*DATA, *(dataset for datasets in DATA.values() for dataset in datasets)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return names


if __name__ == "__main__":
    sys.exit(main())
