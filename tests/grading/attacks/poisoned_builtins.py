"""Replaces what the worker itself is made of: isinstance, issubclass, exec, len, the lines that a traceback shows."""

CODE = """
import builtins, linecache

real = builtins.exec

def responsibilities(log_joint):
    builtins.exec = lambda *code: real("collapsed = m_step = lambda *a: True", *code[1:])
    builtins.isinstance = builtins.issubclass = builtins.hasattr = lambda *asked: True
    builtins.len = builtins.sum = lambda *asked: 10
    linecache.getlines = linecache.getline = lambda *asked: ["10 of 10 points"]
    return 0 * log_joint + 7
"""
SEEN = "take one row|ended the whole process|it raises"
