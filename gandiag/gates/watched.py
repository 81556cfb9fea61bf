"""Which kinds of alert a run log could not have: what nobody looked for is not absent."""

from __future__ import annotations

from collections.abc import Mapping

from gandiag.core.errors import InputError, UsageError
from gandiag.core.run_log import RunLog
from gandiag.core.signals import Record
from gandiag.gates.policy import ANY_ALERT


def unseen(kind: str, log: RunLog) -> str | None:
    """Why a log without alerts of a kind, or of `any`, does not show that there was nothing; None where it does.

    For `any` it is enough that no rule was silenced and one of them saw something: few runs measure all signals.

    Raises:
        InputError: the thresholds in the log's header cannot be used.
    """
    from gandiag.monitor.detectors import DETECTORS

    if not log.records:
        return "nothing was measured: the run log has no records"
    silenced, lacking = silent(log), blind(log)
    if kind == ANY_ALERT:
        if silenced:
            return f"nobody looked: the run silenced {', '.join(silenced)}"
        return "nobody looked: no rule saw a signal that it needs" if lacking.keys() >= set(DETECTORS.names()) else None
    if kind in silenced:
        return f"nobody looked: the run silenced {kind}"
    return f"nobody looked: {kind} {lacking[kind]}" if kind in lacking else None


def silent(log: RunLog) -> list[str]:
    """The kinds that the run's thresholds left out.

    Raises:
        InputError: the thresholds in the log's header cannot be used.
    """
    from gandiag.monitor.detectors import DETECTORS
    from gandiag.monitor.thresholds import settled

    try:
        left = settled(log.header.get("thresholds"))
    except UsageError as error:
        raise InputError(f"the header of the run log has thresholds that cannot be used: {error}") from error
    return [kind for kind in DETECTORS.names() if kind not in left]


def blind(log: RunLog) -> Mapping[str, str]:
    """The kinds of which no rule saw what it needs, to what that is."""
    from gandiag.monitor.replay import replay_all

    # What a rule lacks is a matter of the signals' names: one record of all of them is enough to ask.
    signals = {name: value for record in log.records for name, value in record.signals.items()}
    return replay_all([Record(0, 0.0, signals)])[1]
