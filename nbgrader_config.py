"""nbgrader's own commands, run from the repository's root, find the course by this file."""

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
