"""A sink for tests."""

from __future__ import annotations


class Kept:
    """A sink that keeps all."""

    def __init__(self):
        self.records, self.alerts, self.notes, self.closings = [], [], [], 0

    def record(self, record):
        self.records.append(record)

    def alert(self, alert):
        self.alerts.append(alert)

    def note(self, step, text):
        self.notes.append(text)

    def close(self):
        self.closings += 1

    def seen(self):
        """All but the time."""
        return [(each.step, each.signals) for each in self.records], [each.to_dict() for each in self.alerts]
