"""Replaces the handle's class and the worker's own server by ones that answer every request with True."""

CODE = """
import gc, sys, types

sys.modules["genedu.handle"] = types.SimpleNamespace(LocalHandle=None, CallFailed=ValueError, students_code=None)
servers = [o for o in gc.get_objects() if type(o).__name__ == "Server"]
assert servers
for server in servers:
    type(server).serve = lambda self, request: {"value": True if request["do"] != "bind" else 0}
"""
SEEN = r"must be .*it is of type bool|cannot make sense"
POINTS: dict[str, int] = {}
