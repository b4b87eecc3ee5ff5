"""JupyterLab on a private copy of the course, in a headless Chromium: what the tests of this folder drive.

Nothing here waits for a fixed time. A `Page` has a deadline: what is not there by then fails with what was waited for
and a screenshot.
"""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import Any

from playwright.sync_api import BrowserContext, Error, TimeoutError, sync_playwright

from tests.browser.server import TOKEN, Server, copy_course

FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
OFFLINE = ["--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]  # nothing leaves the machine
# What the page says about the notebook in front. A prompt is "[ ]:", then "[*]:" while it waits or runs, then "[7]:".
STATE = """() => {
    const panel = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)');
    const all = selector => [...panel.querySelectorAll(selector)];
    const text = selector => all(selector).map(e => e.innerText);
    const code = all('.jp-CodeCell').filter(c => c.querySelector('.cm-content').innerText.trim());
    const prompts = code.map(c => c.querySelector('.jp-InputPrompt').innerText);
    const raw = all('.jp-RenderedMarkdown').map(e => {
        const copy = e.cloneNode(true);
        copy.querySelectorAll('code, mjx-container').forEach(part => part.remove());
        return copy.textContent;
    });
    return {
        begun: prompts.some(p => /\\[(\\*|\\d+)\\]/.test(p)),
        done: prompts.length > 0 && prompts.every(p => /\\[\\d+\\]/.test(p)),
        prompts: prompts,
        errors: text('[data-mime-type="application/vnd.jupyter.stderr"]'),  // what raised looks like a line on stderr
        outputs: text('.jp-OutputArea-output').join('\\n'),
        pictures: all('.jp-OutputArea-output img').map(e => e.complete ? e.naturalWidth : -1),  // 0: broken
        markdown: text('.jp-RenderedMarkdown').join('\\n'),
        formulas: all('.jp-RenderedMarkdown mjx-container').length,
        wrong_formulas: [...text('.jp-RenderedMarkdown mjx-merror'), ...raw.filter(t => t.includes('$$'))],
    };
}"""
PIXELS = """image => {
    if (!image.complete || !image.naturalWidth) return '';
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL();
}"""


def chromium() -> str | None:
    """The browser's executable, if there is one."""
    return next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    """One notebook in the browser, to be finished before the deadline."""

    def __init__(self, context: BrowserContext, server: Server, path: str, *, seconds: float, screenshot: Path) -> None:
        self.server, self.path, self.seconds, self.screenshot = server, path, seconds, screenshot
        self.end = time.monotonic() + seconds
        self.page = context.new_page()
        self.console, self.requests = list[str](), list[str]()
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.console.append(f"uncaught: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def left(self) -> float:
        """Milliseconds to the deadline; at least one, since 0 means for ever."""
        return max(1.0, 1000 * (self.end - time.monotonic()))

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say what was waited for where the browser says no more than that time is up."""
        try:
            yield
        except TimeoutError as error:
            prompts = self.state()["prompts"] if self.page.query_selector(".jp-NotebookPanel") else None
            late = f"{self.path}: {what} did not come before the {self.seconds:.0f} s for a notebook were over"
            raise AssertionError(f"{late}; prompts: {prompts}\n{error}") from None

    def state(self) -> dict[str, Any]:
        return self.page.evaluate(STATE)

    def until(self, function: str, argument: Any = None, *, most: float = math.inf) -> None:
        """Wait until the JavaScript function says true; asked four times a second, since to look costs layout.

        Raises:
            TimeoutError: not before the deadline, or not within `most` milliseconds.
        """
        self.page.wait_for_function(function, arg=argument, timeout=min(most, self.left()), polling=250)

    def picture(self) -> None:
        """What can be seen now, in a file."""
        self.screenshot.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self.screenshot)

    def open(self) -> None:
        """Open the notebook and wait until its kernel is there."""
        with self.waiting("the notebook"):
            self.page.goto(f"{self.server.url}/lab/tree/{self.path}?token={TOKEN}&reset", timeout=self.left())
            self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=self.left())
        with self.waiting("the kernel, '| Idle' in the status bar"):
            self.until("() => document.body.innerText.includes('| Idle')")

    def run_all(self) -> dict[str, Any]:
        """Run > Run All Cells, until every code cell has its number or one has raised; returns the state."""
        with self.waiting("a first cell that runs"):
            while not self.state()["begun"]:  # a kernel that says Idle may still lose the first request
                self.page.keyboard.press("Escape")
                self.page.click(".lm-MenuBar-itemLabel:text-is('Run')", timeout=self.left())
                self.page.click(".lm-Menu-itemLabel:text-is('Run All Cells')", timeout=self.left())
                try:
                    self.until(f"() => ({STATE})().begun", most=6000)
                except TimeoutError:
                    if self.left() <= 1:
                        raise
        with self.waiting("the end of all cells"):
            self.until(f"() => (s => s.done || s.errors.length)(({STATE})())")
        with suppress(TimeoutError):  # what is still not typeset or loaded then, the state tells
            settled = "s => s.errors.length || !s.wrong_formulas.length && s.pictures.every(width => width > 0)"
            self.until(f"() => ({settled})(({STATE})())", most=15_000)
        return self.state()

    def move_slider(self, keys: str) -> tuple[str, str]:
        """Press the keys, by name, on the first slider until its picture changes; returns its readout before and after."""
        cell = self.page.locator(".jp-CodeCell", has=self.page.locator(".noUi-handle")).first
        with self.waiting("the slider and its picture"):
            cell.locator(".noUi-handle").first.wait_for(state="attached", timeout=self.left())
            cell.locator("img.widget-image").wait_for(state="visible", timeout=self.left())
            self.until("image => image.naturalWidth > 0", cell.locator("img").element_handle())
        handle, image, readout = cell.locator(".noUi-handle").first, cell.locator("img"), cell.locator(".widget-readout").first
        before, said = image.evaluate(PIXELS), readout.inner_text()
        image.scroll_into_view_if_needed()
        handle.focus()
        changed = f"([image, before]) => (now => now && now !== before)(({PIXELS})(image))"
        for key in keys.split():
            self.page.keyboard.press(key)
            with suppress(TimeoutError):
                self.until(changed, [image.element_handle(), before], most=4000)
                return said, readout.inner_text()
        moved = f"its readout went from {said!r} to {readout.inner_text()!r}"
        raise AssertionError(f"{self.path}: no key of {keys} on the slider changes its picture; {moved}")

    def strangers(self) -> list[str]:
        """Requests to anything but this server."""
        return [url for url in self.requests if not url.startswith((self.server.url, "data:", "blob:"))]

    def close(self) -> None:
        """Leave the page and end its kernel."""
        self.page.close(run_before_unload=False)
        for session in self.server.ask("/api/sessions"):
            self.server.ask(f"/api/sessions/{session['id']}", "DELETE")


class Lab:
    """A server and a browser, and pages that they show."""

    def __init__(self, server: Server, context: BrowserContext, pictures: Path) -> None:
        self.server, self.context, self.pictures = server, context, pictures

    @contextmanager
    def page(self, path: str, *, seconds: float = 300.0) -> Iterator[Page]:
        screenshot = self.pictures / f"{Path(path).parts[0]}_{Path(path).stem}.png"
        page = Page(self.context, self.server, path, seconds=seconds, screenshot=screenshot)
        try:
            page.open()
            yield page
        except (AssertionError, Error) as error:
            with suppress(Error):  # the page may be what broke
                page.picture()
                error.add_note(f"screenshot: {screenshot}")
            raise
        finally:
            page.close()


@contextmanager
def start(executable: str, private: Path) -> Iterator[Lab]:
    """JupyterLab on a copy of the course; screenshots go to $GENEDU_SCREENSHOTS, if that is set."""
    root = private / "copy"
    copy_course(root)
    server = Server(root, private)
    try:
        server.wait(60)
        with sync_playwright() as playwright:
            env: Any = {**os.environ, "HOME": str(private / "home")}
            browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS.split(), *OFFLINE], env=env)
            context = browser.new_context(viewport={"width": 1400, "height": 1000})
            try:
                yield Lab(server, context, Path(os.environ.get("GENEDU_SCREENSHOTS") or private / "screenshots"))
            finally:
                context.close()
                browser.close()
    finally:
        server.stop()
