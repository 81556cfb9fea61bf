"""Train every run of the benchmark that is not there yet: `python benchmarks/detectors/train.py`."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

HOME = Path(__file__).parent
sys.path.insert(0, str(HOME))

from configurations import FAULTS, HEALTHY, SEEDS, Configuration  # noqa: E402

RUNS = HOME / "runs"


def one(configuration: Configuration, seed: int, folder: Path) -> str:
    """Train one run; its log and its truth come into the folder whole or not at all."""
    import torch
    from data import load
    from loop import as_plain, train
    from truth import judge

    torch.set_num_threads(1)
    data = load(configuration.data)
    with tempfile.TemporaryDirectory() as place:
        history, seconds = train(configuration, seed, Path(place), data)
        header = json.loads((Path(place) / "run.jsonl").read_text().partition("\n")[0])
        parameters = header["players"]["generator"]
        plain = as_plain(history)
        truth = {
            "configuration": configuration.name,
            "half": configuration.half,
            "healthy": configuration in HEALTHY,
            "bug": configuration.bug,
            "seed": seed,
            "seconds": round(seconds, 1),
            "parameters": parameters,
            **judge(plain, configuration.bug, data.modes, parameters),
            "total_modes": data.modes,
            "history": plain,
        }
        name = f"{configuration.name}-{seed}"
        log = folder / f"{name}.jsonl.gz"
        # Without a time inside, the same run packs to the same bytes.
        Path(f"{log}.part").write_bytes(gzip.compress((Path(place) / "run.jsonl").read_bytes(), mtime=0))
        Path(f"{log}.part").replace(log)
        part = folder / f"{name}.json.part"
        part.write_text(json.dumps(truth, allow_nan=False))
        part.replace(folder / f"{name}.json")
    return f"{name}: {truth['outcome']} {','.join(truth['kinds'])} modes {truth['modes']:.2f} in {seconds:.0f} s"


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="configurations whose name has this in it")
    parser.add_argument("--seeds", type=int, help="fewer seeds than ten and five")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RUNS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = [
        (configuration, seed)
        for seed in range(SEEDS["healthy"])
        for configurations, count in ((HEALTHY, SEEDS["healthy"]), (FAULTS, SEEDS["fault"]))
        for configuration in configurations
        if options.only in configuration.name
        and seed < min(count, options.seeds or count)
        and not (options.out / f"{configuration.name}-{seed}.json").exists()
    ]
    print(f"{len(wanted)} runs to train", flush=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    begun = time.perf_counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(one, *each, options.out): each for each in wanted}
        try:
            for number, done in enumerate(as_completed(futures), start=1):
                failure = done.exception()
                said = done.result() if failure is None else f"{futures[done][0].name}: {failure!r}"
                print(f"[{number}/{len(wanted)} {time.perf_counter() - begun:.0f} s] {said}", flush=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise SystemExit(130) from None


if __name__ == "__main__":
    main()
