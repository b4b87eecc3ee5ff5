"""Packages whose names are imported when they are first used.

`import genedu.density` then costs nothing, and a package still works where one of its files is not there (a grader
hides the file that holds the answer).
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy(package: str, files: dict[str, list[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose file `f` defines the names `files[f]`.

    Raises:
        ValueError: a name that is also a file's: once imported, the file would stand in its place.
    """
    where = {name: file for file, names in files.items() for name in names}
    if both := where.keys() & files.keys():
        raise ValueError(f"no file of {package} may be named as something in the package, got {sorted(both)}")

    def get(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {sorted(where)}")
        value = getattr(import_module(f"{package}.{where[name]}"), name)
        setattr(sys.modules[package], name, value)  # the next look-up is direct
        return value

    return get, lambda: sorted(where), sorted(where)
