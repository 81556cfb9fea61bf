"""A real headless Chromium for pages that gandiag writes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def chromium() -> str:
    """Where Chromium is; the test is skipped where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    return found


@contextmanager
def open_page(
    path: Path, *, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True
) -> Iterator:
    """The page in a browser that reaches nothing; any complaint of the console or request for another file fails."""
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                java_script_enabled=scripts,
            )
            page = context.new_page()
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("dialog", lambda dialog: (complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
            page.on("request", lambda request: _check_request(request.url, path, complaints))
            page.goto(path.resolve().as_uri())
            yield page
            assert not complaints, complaints
        finally:
            browser.close()


def _check_request(address: str, path: Path, complaints: list[str]) -> None:
    if not address.startswith(("data:", "blob:")) and address.partition("#")[0] != path.resolve().as_uri():
        complaints.append(f"request for {address}")


def accessibility_findings(page) -> list[str]:
    """What axe finds serious or critical on the page."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['help']}" for each in violations if each["impact"] in ("serious", "critical")]
