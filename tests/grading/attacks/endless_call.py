"""Loops for ever in the function, printing, and catching what would stop it."""

CODE = """
def responsibilities(log_joint):
    while True:
        try:
            while True:
                print("x" * 1000)
        except BaseException:
            pass
"""
SEEN = "more than 2 s of computing time|did not end within 6 s"  # on a busy machine
