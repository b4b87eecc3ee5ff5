"""Takes memory until there is none. Does not write to it: so it is memory that ends it, and not the time that filling takes."""

CODE = """
def responsibilities(log_joint):
    held = []
    while True:
        held.append(bytes(2**26))
"""
SEEN = "MemoryError|more than 2048 MiB of memory"
