"""What the monitor costs: time on a training step, memory over many steps, and bytes of the log.

    OMP_NUM_THREADS=1 python benchmarks/monitor.py                # about ten minutes on a quiet core
    python benchmarks/monitor.py --device cuda --windows 20
    python benchmarks/monitor.py --memory-steps 1000000           # hours; the default is 20,000

Two equal DCGANs (batch 64, 28 x 28) take turns, one watched and one not, a window of 50 steps of each at a time. A
window is what the monitor repeats: its measured steps, its statistics of samples and its record. The ratio is that of
the watched window's time to the mean of its two neighbours; the median and the quartiles are shown. Both CPU time,
which other programs disturb little, and wall time are measured.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

import gandiag

BATCH, LATENT, WINDOW = 64, 64, 50
GOAL = {"cpu": 0.03, "cuda": 0.01}


def main() -> int:
    """Measure and print; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--windows", type=int, default=8, help="of 50 steps, of each side")
    parser.add_argument("--memory-steps", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {
        "device": options.device,
        "threads": torch.get_num_threads(),
        **overhead(options.device, options.windows),
        **long_run(options.memory_steps),
    }
    for name, value in found.items():
        print(f"{name:32} {value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return int(found["overhead (CPU time)"] > GOAL[options.device.partition(":")[0]])


def dcgan(device: str) -> tuple[nn.Module, nn.Module]:
    generator = nn.Sequential(
        nn.Linear(LATENT, 128 * 49), nn.Unflatten(1, (128, 7, 7)), nn.BatchNorm2d(128), nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1), nn.BatchNorm2d(128), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(128 * 49, 1),
    )  # fmt: skip
    return generator.to(device), discriminator.to(device)


def training(device: str, *, watched: bool, folder: Path | None = None) -> Callable[[], None]:
    """A function that trains one step."""
    generator, discriminator = dcgan(device)
    g_optimizer = torch.optim.Adam(generator.parameters(), 2e-4, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), 2e-4, betas=(0.5, 0.999))
    if watched:
        gandiag.watch(generator, discriminator, g_optimizer, d_optimizer, run=folder)
    real = torch.rand(BATCH, 1, 28, 28, device=device) * 2 - 1

    def step() -> None:
        fake = generator(torch.randn(BATCH, LATENT, device=device))
        d_optimizer.zero_grad()
        loss = functional.softplus(-discriminator(real)).mean()
        (loss + functional.softplus(discriminator(fake.detach())).mean()).backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        functional.softplus(-discriminator(fake)).mean().backward()
        g_optimizer.step()

    return step


def overhead(device: str, windows: int) -> dict[str, float | str]:
    """The cost of a step that is watched, once the monitor measures as often as it will, and in its first 200 steps."""
    with tempfile.TemporaryDirectory() as folder:
        plain, watched = training(device, watched=False), training(device, watched=True, folder=Path(folder))
        for _ in range(5):
            plain()
        early = [_window(plain, device), *(_window(step, device) for _ in range(4) for step in (watched, plain))]
        later = [_window(plain, device), *(_window(step, device) for _ in range(windows) for step in (watched, plain))]
    found: dict[str, float | str] = {"step without it (ms, CPU time)": round(later[0][0] / WINDOW * 1e3, 2)}
    for name, place in (("CPU time", 0), ("wall time", 1)):
        shares = _shares([times[place] for times in later])
        found[f"overhead ({name})"] = round(statistics.median(shares), 4)
        found[f"quartiles ({name})"] = " to ".join(f"{each:.4f}" for each in statistics.quantiles(shares, n=4)[::2])
    found["overhead of steps 1 to 200"] = round(statistics.median(_shares([times[0] for times in early])), 4)
    return found


def _window(step: Callable[[], None], device: str) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(WINDOW):
        step()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.process_time() - cpu, time.perf_counter() - wall


def _shares(times: list[float]) -> list[float]:
    """Watched windows stand at odd places, between two that are not watched."""
    return [2 * times[i] / (times[i - 1] + times[i + 1]) - 1 for i in range(1, len(times) - 1, 2)]


def long_run(steps: int) -> dict[str, float]:
    """Growth of memory and of the log over many steps of a loop that costs next to nothing."""
    generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
    g_optimizer, d_optimizer = (torch.optim.SGD(each.parameters(), 1e-3) for each in (generator, discriminator))
    real = torch.randn(32, 2)
    sizes, objects = [], []
    with tempfile.TemporaryDirectory() as folder:
        monitor = gandiag.watch(generator, discriminator, g_optimizer, d_optimizer, run=folder, sinks=[])
        for number in range(steps):
            fake = generator(torch.randn(32, 2))
            d_optimizer.zero_grad()
            loss = functional.softplus(-discriminator(real)).mean()
            (loss + functional.softplus(discriminator(fake.detach())).mean()).backward()
            d_optimizer.step()
            g_optimizer.zero_grad()
            functional.softplus(-discriminator(fake)).mean().backward()
            g_optimizer.step()
            if number in (steps // 2, steps - 1):
                gc.collect()
                objects.append(len(gc.get_objects()))
                sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        monitor.close()
        size = (Path(folder) / "run.jsonl").stat().st_size
    return {
        "steps of the long run": steps,
        "memory grown in its second half (MB)": round(sizes[1] - sizes[0], 2),
        "objects grown in its second half": objects[1] - objects[0],
        "log (bytes a step)": round(size / steps, 2),
    }


if __name__ == "__main__":
    raise SystemExit(main())
