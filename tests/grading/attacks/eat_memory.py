"""Takes memory until there is none."""

CODE = """
def responsibilities(log_joint):
    held = []
    while True:
        held.append(bytearray(2**26))
"""
SEEN = "MemoryError|more than 2048 MiB of memory"
