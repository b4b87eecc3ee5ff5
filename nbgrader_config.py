"""nbgrader's own commands, run from the repository's root, find the course by this file."""

import os

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.preprocessors import ClearHiddenTests, GetGrades

c = get_config()  # noqa: F821 (nbgrader provides it)

c.CourseDirectory.course_id = "genedu"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "grades/autograded"
c.CourseDirectory.feedback_directory = "grades/feedback"
c.CourseDirectory.db_url = "sqlite:///grades/gradebook.db"
# Without "*.py" nbgrader would copy the whole solution beside the exercise; the .toml concerns authors only.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "*.py", "*.toml"]
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.ExecutePreprocessor.timeout = 120

# nbgrader gives no point for a cell that wrote to stderr: a right answer that trains (a bar) or warns would get none.
os.environ["GENEDU_PROGRESS"] = "0"  # the kernels inherit it
c.IgnorePattern.enabled, c.IgnorePattern.pattern = True, "(?s)."  # whatever is written there; what raises is no stream


class ForStudents(ClearHiddenTests):
    """Takes the hidden tests off a feedback page, where nbgrader would show them; a traceback quotes them, too."""

    def preprocess_cell(self, cell, resources, cell_index):
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if cell.metadata.get("nbgrader", {}).get("grade"):
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    output.traceback = output.traceback[-1:]  # what was raised, not where
        return cell, resources


c.GenerateFeedback.preprocessors = [GetGrades, ForStudents, CSSHTMLHeaderPreprocessor]
