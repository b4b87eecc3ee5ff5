"""nbgrader's release of an exercise: what students get of a solution, and, if asked, its cells in a gradebook."""

import os
from pathlib import Path


def release(root: Path, name: str, source: Path, target: Path, gradebook: Path | None = None) -> Path:
    """The exercise `name` of folder `source`, released by nbgrader into folder `target`; returns its notebook.

    Args:
        root: the course's folder, whose nbgrader_config.py holds.
        gradebook: where its cells and points are entered; nowhere, if None.
    """
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config, PyFileConfigLoader

    before = os.environ.get("GENEDU_PROGRESS")
    try:
        config = Config(PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config())
    finally:  # the file switches bars off for nbgrader's own kernels
        os.environ.pop("GENEDU_PROGRESS", None)
        if before is not None:
            os.environ["GENEDU_PROGRESS"] = before
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.source_directory = str(source)
    config.CourseDirectory.release_directory = str(target)
    config.CourseDirectory.assignment_id = name
    if gradebook is None:
        config.GenerateAssignment.no_database, config.SaveCells.enabled = True, False
    else:
        config.CourseDirectory.db_url = f"sqlite:///{gradebook}"
        config.GenerateAssignment.create_assignment = True
    config.GenerateAssignment.force = True
    config.GenerateAssignment.logfile = ""
    app = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
    app.log.setLevel("ERROR")
    app.start()
    return target / name / f"{name}.ipynb"
