"""What `genedu doctor` asks of this machine: versions, torch, the notebooks' Python, memory.

Each answers in plain values and gets over whatever is missing or broken; `genedu.doctor` judges the answers.
Nothing here imports torch: it is asked for in a process of its own, which may die.
"""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

PROBE = """
import json, os, torch
device, fault = os.environ.get("GENEDU_DEVICE", "cpu"), ""
try:
    torch.ones(1, device=device) + 1
except Exception as error:
    fault = str(error).partition("\\n")[0]
devices = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
devices += ["mps"] * torch.backends.mps.is_available()
print(json.dumps({"torch": torch.__version__, "devices": devices, "fault": fault}))
"""


def version_of(name: str) -> str | None:
    """The installed version of a package, None where it is missing or its papers are broken."""
    try:
        return importlib.metadata.version(name)
    except Exception:
        return None


def ask_torch(code: str = PROBE, *, seconds: float = 120) -> dict:
    """`torch` version, `devices` and the `fault` of the chosen one, from another process; or an `error`."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {seconds} seconds"}
    except OSError as error:
        return {"error": str(error)}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]}
    last = (done.stdout.strip().splitlines() or ["nothing"])[-1]
    try:
        return json.loads(last)
    except ValueError:
        return {"error": f"it must print what it found, it printed {last}"}


def kernel_python() -> str | None:
    """The Python that runs a notebook of kernel `python3`, None where there is none."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager

        return KernelSpecManager().get_kernel_spec("python3").argv[0]
    except Exception:
        return None


def memory(meminfo: str | None = None) -> tuple[int | None, int | None]:
    """Total and free memory in bytes, None where unknown; `meminfo` is the text of Linux's /proc/meminfo."""
    if meminfo is None and (proc := Path("/proc/meminfo")).exists():
        meminfo = proc.read_text()
    if meminfo is not None:
        size = {name: int(kb) * 1024 for name, kb in re.findall(r"^(\w+):\s+(\d+) kB", meminfo, re.M)}
        return size.get("MemTotal"), size.get("MemAvailable")
    if sys.platform == "win32":
        import ctypes

        status = (ctypes.c_ulonglong * 8)(64)  # MEMORYSTATUSEX: its length and the load share the first, then total, free
        ctypes.windll.kernel32.GlobalMemoryStatusEx(status)
        return status[1], status[2]
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None
    except (AttributeError, ValueError, OSError):
        return None, None
