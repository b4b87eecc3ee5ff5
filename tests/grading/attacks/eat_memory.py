"""Takes memory until there is none: without writing to it, so that what ends it is the memory and not the time that filling takes."""

CODE = """
def responsibilities(log_joint):
    held = []
    while True:
        held.append(bytes(2**26))
"""
SEEN = "MemoryError|more than 2048 MiB of memory"
