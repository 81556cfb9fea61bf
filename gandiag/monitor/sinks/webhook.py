"""A web address: each alert as a POST of JSON, sent in the background; `webhook:https://...`."""

from __future__ import annotations

import json
import queue
import threading
import time
import urllib.request
import warnings
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.parse import urlsplit

from gandiag.core.alert import Alert
from gandiag.core.errors import UsageError, shown
from gandiag.core.signals import Record
from gandiag.monitor.sinks._text import one_line

MOST_WAITING = 100  # alerts
TIMEOUT = 5.0  # seconds


class Webhook:
    """Posts `{"text": one line, "alert": {...}}`, which chat services show as it is.

    Training never waits for it: what the address does not take in time is dropped, with one warning.

    Args:
        url: http or https.
        timeout: seconds for one alert, and for all that wait at the end.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            scheme = shown(url.partition("/")[0])  # the rest of such an address is often a secret
            raise UsageError(f"the sink webhook needs an http or https address, got one that begins with {scheme}")
        self._url = url
        self._host = host
        self._timeout = timeout
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._failure: str | None = None
        self._warned = False

    def record(self, record: Record) -> None:
        """Nothing is sent."""
        self._warn()

    def alert(self, alert: Alert) -> None:
        """Put it into the queue."""
        body = {"text": f"gandiag: {one_line(alert)}", "alert": alert.to_dict()}
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_all, name="gandiag-webhook", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(json.dumps(body, allow_nan=False).encode())
        except queue.Full:
            self._failure = f"{MOST_WAITING} alerts are waiting"
        self._warn()

    def note(self, step: int, text: str) -> None:
        """Nothing is sent."""

    def close(self) -> None:
        """Wait for what is in the queue, but not for longer than the timeout."""
        thread, self._thread = self._thread, None
        if thread is not None:
            end = time.monotonic() + self._timeout
            try:
                self._waiting.put(None, timeout=self._timeout)
            except queue.Full:
                self._failure = "it is too slow"
            else:
                thread.join(max(0.0, end - time.monotonic()))
                if thread.is_alive():
                    self._failure = "it is too slow"
        self._warn()

    def _send_all(self) -> None:
        opener = urllib.request.build_opener(_NoRedirect)
        while (body := self._waiting.get()) is not None:
            request = urllib.request.Request(self._url, data=body, headers={"Content-Type": "application/json"})
            try:
                with opener.open(request, timeout=self._timeout):
                    pass
            except (OSError, HTTPException, ValueError) as error:
                self._failure = str(error) or type(error).__name__

    def _warn(self) -> None:
        """Say the first failure in the caller's thread, where it can be seen and caught."""
        if self._failure is not None and not self._warned:
            self._warned = True
            warnings.warn(f"an alert did not reach the webhook at {self._host}: {self._failure}", stacklevel=3)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET, and elsewhere than the user said."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def open_sink(target: str | None) -> Webhook:
    """`webhook:https://...`."""
    if not target:
        raise UsageError("the sink webhook needs an address, as in 'webhook:https://example.org/alerts'")
    return Webhook(target)


SINK = open_sink
