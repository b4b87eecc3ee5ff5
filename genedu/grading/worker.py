"""The worker: runs the cells of one notebook and calls its functions, on behalf of a judge in another process.

It reads requests from its standard input and answers on its standard output (`genedu.grading.wire`). Whatever it answers
is the word of student code: nothing is decided here. It is started in a sandbox that `genedu.grading.sandbox` makes.
"""

import ast
import asyncio
import ctypes
import inspect
import json
import linecache
import os
import random
import signal
import sys
import types
from typing import IO, Any

END_WITH_PARENT = 1  # prctl's number


def main() -> None:
    """Become harmless, then serve until the input ends."""
    settings = json.loads(sys.argv[1])
    become(settings)
    requests, answers = channels()
    import numpy as np
    import torch

    from genedu.grading import wire

    torch.set_num_threads(1)
    server = Server()
    while True:
        try:
            request = wire.read(requests, trusted=True)
        except EOFError:
            return
        allow(settings["cpu"])
        seed = request.get("seed", 0)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        answer = server.serve(request)
        try:
            message = wire.encode(answer)
        except ValueError as error:
            message = wire.encode({"failed": (f"what it returns cannot be sent: {error}", "wrong type")})
        answers.write(message)
        answers.flush()


def become(settings: dict[str, Any]) -> None:
    """Another user than root, limits on this process and all that it starts; Windows knows none of it."""
    if settings["user"]:
        os.setgroups([])
        os.setgid(settings["user"])
        os.setuid(settings["user"])
    if settings["judge"] and sys.platform == "linux":  # in a jail, bubblewrap sees to it
        ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != settings["judge"]:
            os._exit(1)
    try:
        import resource
    except ImportError:
        return
    for name, value in settings["limits"].items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            least = value if hard == resource.RLIM_INFINITY else min(value, hard)
            try:
                resource.setrlimit(kind, (least, least))
            except (ValueError, OSError):
                pass  # macOS refuses some of them; the wall clock holds everywhere


def allow(seconds: int) -> None:
    """The CPU seconds that the next request may take, on top of those used."""
    try:
        import resource
    except ImportError:
        return
    spent = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(spent.ru_utime + spent.ru_stime) + seconds + 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    except (ValueError, OSError):
        pass  # the hard limit and the wall clock stay


def channels() -> tuple[IO[bytes], IO[bytes]]:
    """The judge's pipes, moved away; what students read is empty, what they print goes nowhere."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    return requests, answers


class Server:
    """The notebook's names and the objects made by its code, and what may be asked of them."""

    def __init__(self) -> None:
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self.space = module.__dict__
        self.space |= {"display": lambda *shown, **options: None, "get_ipython": shell}
        self.objects: list[Any] = []

    def serve(self, request: dict[str, Any]) -> dict[str, Any]:
        from genedu.handle import CallFailed, LocalHandle, students_code

        do = request["do"]
        try:
            if do == "run":
                with students_code(request["seed"]):
                    run(request["source"], request["cell"], self.space)
                return {"value": None}
            if do == "bind":
                if request["name"] not in self.space:
                    return {"failed": (f"{request['name']!r} is not defined where its check stands", "not defined")}
                return {"value": self.keep(self.space[request["name"]])}
            handle = LocalHandle(self.objects[request["object"]])
            arguments, seed = request.get("arguments", {}), request.get("seed", 0)
            if do == "call":
                return {"value": handle.call(arguments, method=request["method"], seed=seed)}
            if do == "gradient":
                return {"value": handle.gradient(arguments, of=request["of"], method=request["method"], seed=seed)}
            if do == "build":
                return {"value": self.keep(handle.build(arguments, seed=seed).target)}
            if do == "load":
                handle.load(request["weights"])
                return {"value": None}
            return {"value": handle.weights()}
        except CallFailed as error:
            return {"failed": (str(error), error.mistake)}
        except BaseException as error:
            return {"failed": (f"it raises {type(error).__name__}", "raises")}

    def keep(self, made: Any) -> int:
        """The number under which the judge asks for the object."""
        self.objects.append(made)
        return len(self.objects) - 1


def run(source: str, number: int, space: dict[str, Any]) -> None:
    """One cell, as Jupyter runs it: magics, and `await` at the top, included."""
    name = f"<cell {number}>"
    try:
        code = compile(source, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        plain = TransformerManager().transform_cell(source)
        if plain == source:
            raise
        source, code = plain, compile(plain, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(types.FunctionType(code, space)())
    else:
        exec(code, space)


def shell() -> Any:
    """IPython's shell on the notebook's names, for those who use magics."""
    from IPython.core.interactiveshell import InteractiveShell

    made = InteractiveShell.instance(user_module=sys.modules["__main__"], user_ns=sys.modules["__main__"].__dict__)
    made.__dict__["enable_gui"] = lambda *gui: None  # there are no windows: %matplotlib has nothing to do
    return made


if __name__ == "__main__":
    main()
