"""Loops for ever in a cell, after it has defined the function."""

CODE = """
def responsibilities(log_joint):
    return log_joint.softmax(-1)

while True:
    pass
"""
SEEN = "(?s)(computing time|did not end within).*'responsibilities' is not defined"
