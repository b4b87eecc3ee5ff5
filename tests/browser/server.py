"""`jupyter lab` on a private copy of the course: settings, data and home of its own, so that the reader's stay as they are."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat

ROOT = Path(__file__).parents[2]
TOKEN = "only-for-this-test"
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # else what is out of sight is not on the page
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
}
CHAPTERS = sorted((ROOT / "course").glob("[0-9][0-9]_*.ipynb"))
WHOLE = {CHAPTERS[0].name, CHAPTERS[-1].name}


def played_only(cells: list) -> list:
    """Of a chapter's cells the text, the imports and the first cell of "Play", which stands on them alone."""
    code = [i for i, cell in enumerate(cells) if cell.cell_type == "code"]
    play = next(i for i, cell in enumerate(cells) if cell.source.startswith("## Play"))
    kept = {code[0], next(i for i in code if i > play)}
    return [cell for i, cell in enumerate(cells) if cell.cell_type != "code" or i in kept]


def copy_course(root: Path) -> None:
    """course/ and exercises/ without their stored outputs, so that whatever is shown was computed here.

    The first chapter and the newest are whole. The others are run from top to bottom by `make chapters`; here they keep what only
    a browser can judge: text, formulas and the widget. (Their .py would bring back what is left out.)
    """
    for folder in ("course", "exercises"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns(".*"))
        for path in (root / folder).rglob("*.ipynb"):
            notebook = nbformat.read(path, 4)
            if folder == "course" and path.name not in WHOLE:
                notebook.cells = played_only(notebook.cells)
                path.with_suffix(".py").unlink()
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
            nbformat.write(notebook, path)


class Server:
    """`jupyter lab` on 127.0.0.1, with settings, data and home of its own."""

    def __init__(self, root: Path, private: Path) -> None:
        self.root, self.log = root, private / "server.log"
        jupyter = [f"JUPYTER_{kind}_DIR" for kind in ("CONFIG", "DATA", "RUNTIME")]
        lab = [f"JUPYTERLAB_{kind}_DIR" for kind in ("SETTINGS", "WORKSPACES")]
        folders = {kind: str(private / kind.lower()) for kind in [*jupyter, *lab, "IPYTHONDIR", "HOME"]}
        for folder in folders.values():
            Path(folder).mkdir(parents=True)
        for name, values in SETTINGS.items():
            path = Path(folders["JUPYTERLAB_SETTINGS_DIR"], f"{name}.jupyterlab-settings")
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(values))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        port = urlsplit(self.url).port
        options = f"--no-browser --allow-root --ip=127.0.0.1 --port={port} --ServerApp.port_retries=0 --LabApp.news_url=".split()
        options += ["--LabApp.extension_manager=readonly", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
        options += [f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={TOKEN}"]
        env = {**os.environ, **folders, "GENEDU_PROGRESS": "1"}  # bars are on, as they are for a reader
        with self.log.open("w") as log:
            command = [sys.executable, "-m", "jupyterlab", *options]
            self.process = subprocess.Popen(command, env=env, cwd=root, stdout=log, stderr=subprocess.STDOUT)

    def ask(self, path: str, method: str = "GET") -> Any:
        """The server's own answer, as JSON."""
        request = urllib.request.Request(self.url + path, method=method, headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def wait(self, seconds: float) -> None:
        """Until it answers.

        Raises:
            RuntimeError: it ended, or does not answer in time; shows its log.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.ask("/api/status")
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"jupyter lab did not answer within {seconds:.0f} s:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
