"""What there is to grade: questions, locked cells, held-back answers, and the version that tells a changed check."""

import ast
import json
import re

import pytest

from genedu import checks
from genedu.grading import course
from genedu.grading.course import assignment, assignments, seed_of, sources
from genedu.grading.view import PACKAGE, view
from tests.exercises.common import ROOT
from tests.exercises.students import NAMES, asked, released

METHODS = ("density", "autoregressive", "latent", "adversarial", "imitation", "causality", "divergences")


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_is_read_from_what_was_handed_out(name):
    found = assignments(ROOT)[name]
    assert {a.question: (a.name, a.points) for a in found.asked.values()} == asked(name)
    assert found.points == 10
    assert set(found.asked) <= set(found.locked)
    assert all("raise NotImplementedError" not in text for text in found.locked.values())


@pytest.mark.parametrize("name", NAMES)
def test_what_a_chapter_teaches_is_held_back_while_its_exercise_is_graded(name):
    """Each file of a method that the chapter's notebook imports, but for those that the exercise itself hands out."""
    hidden = set(assignments(ROOT)[name].hidden)
    assert hidden <= {p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py")}
    chapter = (ROOT / "course" / f"{name}.py").read_text()
    handed_out = "\n".join(c.source for c in released(name).cells)
    for node in ast.walk(ast.parse(chapter)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[-1] in METHODS:
            for alias in node.names:
                if alias.name not in handed_out and alias.name not in SPARED.get(name, ()):
                    package = node.module.split(".")[-1]
                    files = [f for f in hidden if re.search(rf"^(class|def) {alias.name}\b", (PACKAGE / f).read_text(), re.M)]
                    assert files or f"{package}/{alias.name}.py" in hidden, f"{alias.name} stands where students can read it"


SPARED = {  # what no question of the chapter asks for
    "02_density_and_mixtures": ("EnergyModel", "rbm_log_normaliser"),
    "03_autoregressive_models": ("LogisticRegression",),
    "04_pixel_models": ("GaussianMixture",),
    "05_sequence_models": ("VideoPixelNetwork",),
    "06_autoencoders": ("GaussianMixture", "LogisticRegression"),
    "07_variational_autoencoders": ("LogisticRegression", "ProbabilisticPCA", "VampPrior", "active_units", "interpolate"),
    "08_infinite_vae": ("LogisticRegression", "ProbabilisticPCA", "VAE"),
    "09_richer_vaes": ("PixelCNN", "warm_up"),
    "10_generative_adversarial_networks": ("VAE",),
    "12_conditional_gans": ("AuxiliaryClassifierGAN", "Autoencoder", "GAN", "LogisticRegression", "PlugAndPlay"),
    "13_representation_learning": ("Autoencoder", "GAN", "LogisticRegression", "NADE", "ProbabilisticPCA", "VAE"),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_view_holds_no_check_no_judge_and_no_answer(name):
    hidden = assignments(ROOT)[name].hidden
    seen = view(hidden) / "genedu"
    files = {p.relative_to(seen).as_posix() for p in seen.rglob("*.py")}
    assert {f for f in files if f.startswith("grading/")} == {"grading/__init__.py", "grading/wire.py", "grading/worker.py"}
    assert {f for f in files if f.startswith("checks/")} == {"checks/__init__.py"}
    assert "def check(" in (seen / "checks/__init__.py").read_text()
    for f in hidden:
        assert (seen / f).read_text().startswith("raise ImportError") and len((seen / f).read_text()) < 200
    rest = {p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py")} - set(hidden)
    for f in {f for f in rest if not f.startswith(("checks/", "grading/"))}:
        assert (seen / f).read_bytes() == (PACKAGE / f).read_bytes()


def test_only_files_of_the_package_can_be_held_back():
    with pytest.raises(ValueError, match=r"there is no 'density/nothing.py'"):
        view(("density/nothing.py",))


def test_the_version_depends_on_the_check_and_what_it_imports():
    here = {str(p.relative_to(PACKAGE)) for p in sources("genedu.checks.ch02")}
    assert {"checks/__init__.py", "checks/ch02.py", "checks/collapsed_fits.py", "core.py", "handle.py"} <= here
    assert {"density/gaussian_mixture.py", "density/em.py", "density/__init__.py"} <= here  # a reference of its cases
    assert {"grading/judging.py", "grading/worker.py", "grading/wire.py"} <= here
    assert not {f for f in here if f.startswith(("plots/", "widgets/", "checks/ch01", "cli", "grading/pages", "grading/run"))}
    assert "checks/ch02.py" not in {str(p.relative_to(PACKAGE)) for p in sources("genedu.checks.ch01")}


def test_the_version_changes_with_each_of_them(tmp_path, monkeypatch):
    name = "02_density_and_mixtures"
    place = tmp_path / name / f"{name}.ipynb"
    place.parent.mkdir()
    place.write_bytes((ROOT / "exercises" / name / f"{name}.ipynb").read_bytes())
    first = assignment(place).version
    assert first == assignment(place).version
    file = tmp_path / "extra.py"
    file.write_text("x = 1")
    monkeypatch.setattr(course, "sources", lambda module: [file])
    second = assignment(place).version
    file.write_text("x = 2")
    third = assignment(place).version
    place.write_bytes(place.read_bytes().replace(b"Four questions", b"four questions"))
    assert len({first, second, third, assignment(place).version}) == 4


def change(tmp_path, edit):
    name = "02_density_and_mixtures"
    tree = json.loads((ROOT / "exercises" / name / f"{name}.ipynb").read_text())
    edit(tree["cells"])
    place = tmp_path / f"{name}.ipynb"
    place.write_text(json.dumps(tree))
    return place


def test_an_exercise_that_the_check_does_not_know_is_refused(tmp_path):
    def grade_cell(cells):
        return next(c for c in cells if c["metadata"].get("nbgrader", {}).get("grade"))

    with pytest.raises(ValueError, match="must hold one check"):
        assignment(change(tmp_path, lambda cells: grade_cell(cells).update(source="1 + 1")))
    with pytest.raises(ValueError, match=r"it must ask \['02.1'"):
        assignment(change(tmp_path, lambda cells: cells.remove(grade_cell(cells))))
    with pytest.raises(ValueError, match="there must be exercises/"):
        assignments(tmp_path)


def test_cells_for_a_person_are_known_with_points_and_text(tmp_path):
    text = {"cell_type": "markdown", "source": "Why?", "metadata": {"nbgrader": {"grade": True, "solution": True, "points": 2,
            "grade_id": "why", "locked": False}}}  # fmt: skip
    found = assignment(change(tmp_path, lambda cells: cells.append(text)))
    assert (found.by_hand, found.blank, found.points) == ({"why": 2.0}, {"why": "Why?"}, 12)
    assert "why" not in found.locked


def test_seeds_differ_by_secret_student_and_question_and_stay():
    seeds = {seed_of(s, p, q) for s in (b"secret of the course", b"another") for p in ("alice", "bob") for q in ("02.1", "02.2")}
    assert len(seeds) == 8 and all(0 <= s < 2**31 for s in seeds)
    assert seed_of(b"secret of the course", "alice", "02.1") == seed_of(b"secret of the course", "alice", "02.1") == 1435243819
    assert seed_of(b"k" * 64, "a", "bc") != seed_of(b"k" * 64, "ab", "c")


def test_every_chapter_with_questions_has_an_exercise():
    assert [n[:2] for n in assignments(ROOT)] == checks.chapters()
