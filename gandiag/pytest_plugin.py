"""The pytest plugin: a fixture that fails a test where a gate does.

    def test_release(gandiag_gate):
        gandiag_gate("ckpt.pt", policy="gates.toml", baseline="releases@last-passed")

pytest loads this module in every session of an environment that has gandiag, so it imports nothing before a test asks.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gandiag.core.generator_options import GeneratorOptions
    from gandiag.core.result import Result
    from gandiag.core.run_log import RunLog
    from gandiag.gates.policy import Policy
    from gandiag.gates.verdict import Verdict

Location = str | os.PathLike[str]


class GateFixture:
    """What `gandiag_gate` is: call it to hold a Result, or a source that is scored first, to a policy."""

    def __call__(
        self,
        source: Any,
        *,
        policy: Policy | Location,
        baseline: Result | Location | None = None,
        run: RunLog | Location | None = None,
        against: Any = None,
        inputs: Any = None,
        targets: Any = None,
        cycle: Any = None,
        samples: int | None = None,
        seed: int = 0,
        device: str = "auto",
        data_root: Location | None = None,
        cache: Location | bool = True,
        escalate: bool = False,
        generator: GeneratorOptions | None = None,
    ) -> Verdict:
        """Fail the test where the verdict is not `passed`.

        Args:
            source: a Result or its `.json` file; else a source, as `gandiag.score` takes it; None for alerts alone.
            policy: a Policy or its TOML file; says what an inconclusive gate means.
            baseline: a Result, its file, or `HISTORY@last-passed`.
            run: the log of the training run, or its folder.
            against, inputs, targets, cycle, samples, seed, device, data_root, cache, generator: as of `gandiag.score`,
                for a source; by default the policy's, and the user's cache.
            escalate: take more samples of a source where it is inconclusive.

        Raises:
            GandiagError: something cannot be used; the message says what.
        """
        __tracebackhide__ = True
        from gandiag.core.result import Result
        from gandiag.gates.gate import gate, open_baseline, open_run
        from gandiag.gates.policy import Policy
        from gandiag.gates.text import report

        saved = isinstance(source, str | os.PathLike) and os.fspath(source).endswith(".json")
        if saved or source is None or isinstance(source, Result):
            _refuse_idle(against, inputs, targets, cycle, samples, generator, escalate)
            verdict = gate(source, policy, baseline, run)
        else:
            from gandiag.core.generator_options import GeneratorOptions
            from gandiag.evaluation.scorer import Settings
            from gandiag.gates.scored import gate_source

            opened = policy if isinstance(policy, Policy) else Policy.load(policy)
            settings = Settings(
                against=against,
                inputs=inputs,
                targets=targets,
                cycle=cycle,
                samples=samples,
                seed=seed,
                device=device,
                data_root=data_root,
                cache=cache,
                generator=generator or GeneratorOptions(),
            )
            verdict = gate_source(
                source,
                opened,
                settings,
                baseline=open_baseline(baseline),
                run=open_run(run),
                escalating=escalate,
            ).verdict
        if not verdict.passed:
            pytest.fail(report(verdict), pytrace=False)
        return verdict


def _refuse_idle(*given: Any) -> None:
    """Refuse what says how to score where nothing is scored."""
    from gandiag.core.errors import UsageError

    if any(value is not None and value is not False for value in given):
        raise UsageError(
            "gandiag_gate: against, inputs, targets, cycle, samples, generator and escalate say how to score a source,"
            " and a saved Result is not scored; leave them out, or give its source"
        )


@pytest.fixture(scope="session")
def gandiag_gate() -> GateFixture:
    """Hold a Result, or a source that is scored first, to a policy; fail the test where it does not pass."""
    return GateFixture()
