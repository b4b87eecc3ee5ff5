"""Raises what is no Exception, whose message raises and whose class has no name."""

CODE = """
class Nameless(type):
    @property
    def __name__(cls):
        raise SystemExit(0)

class Poison(BaseException, metaclass=Nameless):
    def __str__(self):
        raise KeyboardInterrupt

def responsibilities(log_joint):
    raise Poison
"""
SEEN = "ended the whole process|it raises"
