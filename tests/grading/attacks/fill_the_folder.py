"""Fills the temporary folder with files, each below the limit of a file."""

CODE = """
def responsibilities(log_joint):
    try:
        for i in range(64):
            with open(f"/tmp/{i}", "wb") as file:
                file.write(bytes(2**22))
    except OSError as error:
        raise RuntimeError(f"stopped after {i} files: {error.strerror}")
"""
SEEN = "stopped after [1-9] files: No space left"
NEEDS = "bubblewrap"
