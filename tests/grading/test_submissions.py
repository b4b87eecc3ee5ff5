"""Finding what was handed in: whose it is, which exercise, and what is left alone with a reason."""

import json
import os
import stat
import zipfile

import pytest

from genedu.grading.course import assignments
from genedu.grading.names import person
from genedu.grading.notebook import LARGEST
from genedu.grading.submissions import MOST, find
from tests.exercises.common import ROOT

ONE, TWO = "01_generative_and_discriminative", "02_density_and_mixtures"
KNOWN = {n: a for n, a in assignments(ROOT).items() if n in (ONE, TWO)}
TEXT = (ROOT / "exercises" / TWO / f"{TWO}.ipynb").read_bytes()
OTHER = json.dumps({"cells": [], "nbformat": 4}).encode()


def put(place, text=b"{}", time=1_600_000_000):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text)
    os.utime(place, (time, time))


def names(source):
    found, strays = find(source, KNOWN)
    return {(s.student, s.assignment) for s in found}, {s.name: s.why for s in strays}


def test_nbgraders_folders(tmp_path):
    for student, exercise in (("alice", ONE), ("alice", TWO), ("bob", TWO)):
        put(tmp_path / student / exercise / f"{exercise}.ipynb", TEXT)
        put(tmp_path / student / exercise / ".ipynb_checkpoints" / f"{exercise}-checkpoint.ipynb", TEXT)
        put(tmp_path / student / exercise / "timestamp.txt", b"today")
    found, strays = find(tmp_path, KNOWN)
    assert [(s.student, s.assignment) for s in found] == [("alice", ONE), ("alice", TWO), ("bob", TWO)]
    assert not strays
    assert found[0].read() == TEXT


@pytest.mark.parametrize(
    ("path", "student"),
    [
        (f"{TWO}/alice.ipynb", "alice"),
        (f"term/{TWO}/alice.ipynb", "term"),
        (f"alice/{TWO}/my own name.ipynb", "alice"),
        (f"alice_{TWO}.ipynb", "alice"),
        (f"{TWO}_alice.ipynb", "alice"),
        ("doejane_1234_56789_Untitled.ipynb", "doejane_1234"),
        (f"alice/{TWO} (1).ipynb", "alice"),
        ("alice.ipynb", "alice"),
        ("alice/exercise.ipynb", "alice"),
        (f"Jane Doe_1234_assignsubmission_file_/{TWO}.ipynb", "Jane Doe_1234"),
        (f"Jane Doe_1234_assignsubmission_file/{TWO}.ipynb", "Jane Doe_1234"),
        (f"doejane_1234_56789_{TWO}.ipynb", "doejane_1234"),
        (f"doejane_LATE_1234_56789_{TWO}-2.ipynb", "doejane_1234"),
        (f"doejane_1234_56789_my_{TWO}.ipynb", "doejane_1234"),
        (f"jane.doe@example.org_{TWO}.ipynb", "jane.doe@example.org"),
        (f"Zoë_{TWO}.ipynb", "Zoë"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_who_handed_in_is_told_by_the_path(tmp_path, path, student, kind):
    if kind == "zip":
        source = tmp_path / "all.zip"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr(path, TEXT)
    else:
        source = tmp_path / "folder"
        put(source / path, TEXT)
    assert names(source) == ({(student, TWO)}, {})


def test_of_two_notebooks_the_well_named_one_counts_then_the_newer_one(tmp_path):
    put(tmp_path / "alice" / TWO / f"{TWO}.ipynb", TEXT, time=1_600_000_000)
    put(tmp_path / "alice" / TWO / "scratch.ipynb", OTHER, time=1_700_000_000)
    put(tmp_path / "bob" / TWO / "first.ipynb", OTHER, time=1_600_000_000)
    put(tmp_path / "bob" / TWO / "second.ipynb", TEXT, time=1_600_000_001)
    found, strays = find(tmp_path, KNOWN)
    assert [s.path.name for s in found] == [f"{TWO}.ipynb", "second.ipynb"]
    assert {s.name.split("/")[-1] for s in strays} == {"scratch.ipynb", "first.ipynb"}
    assert all("of the same student was graded" in s.why for s in strays)


def test_links_are_not_followed(tmp_path):
    secret, source = tmp_path / "secret", tmp_path / "submitted"
    put(secret / f"{TWO}.ipynb", TEXT)
    put(source / "alice" / TWO / f"{TWO}.ipynb", TEXT)
    (source / "eve" / TWO).mkdir(parents=True)
    (source / "eve" / TWO / f"{TWO}.ipynb").symlink_to(secret / f"{TWO}.ipynb")
    (source / "mallory").symlink_to(secret)
    (source / "trent").mkdir()
    os.mkfifo(source / "trent" / f"{TWO}.ipynb")
    found, strays = names(source)
    assert found == {("alice", TWO)}
    assert set(strays) == {f"eve/{TWO}/{TWO}.ipynb", "mallory", f"trent/{TWO}.ipynb"}
    assert all("links are not followed" in why for why in strays.values())


def test_a_file_that_becomes_a_link_between_finding_and_reading_is_not_followed(tmp_path):
    put(tmp_path / "a" / f"{TWO}.ipynb", TEXT)
    [found], _ = find(tmp_path, KNOWN)
    put(tmp_path / "secret", b"secret")
    found.path.unlink()
    found.path.symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic link"):
        found.read()


def test_what_is_not_graded_is_listed_with_its_reason(tmp_path):
    put(tmp_path / "alice" / "notes.ipynb", OTHER)
    put(tmp_path / "bob" / "broken.ipynb", b"no notebook")
    put(tmp_path / "carol" / TWO / "answer.py", b"x")
    put(tmp_path / "dave" / f"{TWO}.ipynb", b" " * (LARGEST + 1))
    found, strays = names(tmp_path)
    assert not found
    assert "belongs to no exercise" in strays["alice/notes.ipynb"]
    assert "is no notebook" in strays["bob/broken.ipynb"]
    assert strays[f"carol/{TWO}"] == "the folder holds no notebook, but answer.py"
    assert "larger than 20 MiB" in strays[f"dave/{TWO}.ipynb"]


def test_a_zip_is_read_where_it_is(tmp_path):
    source = tmp_path / "in" / "all.zip"
    source.parent.mkdir()
    link = zipfile.ZipInfo(f"eve_{TWO}.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    bad = [f"../../{TWO}.ipynb", f"/tmp/{TWO}.ipynb", f"..\\\\..\\\\x_{TWO}.ipynb", f"C:\\\\x_{TWO}.ipynb"]
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"alice_{TWO}.ipynb", TEXT)
        archive.writestr(link, "/etc/passwd")
        archive.writestr("more.zip", b"")
        archive.writestr(f"bomb_{TWO}.ipynb", b" " * (LARGEST + 1))
        archive.writestr("Cyd_3_assignsubmission_file_/solution.pdf", b"x")
        archive.writestr(f"alice/{TWO}/data/numbers.csv", b"x")
        archive.writestr(f"alice/{TWO}/{TWO}.ipynb", TEXT)
        archive.writestr("readme.txt", b"x")
        archive.writestr(f"__MACOSX/._alice_{TWO}.ipynb", b"x")
        for name in bad:
            archive.writestr(name, TEXT)
    found, strays = find(source, KNOWN)
    assert [(s.student, s.assignment, s.inside) for s in found] == [("alice", TWO, f"alice/{TWO}/{TWO}.ipynb")]
    assert found[0].read() == TEXT and found[0].handed_in() == ""
    why = {s.name: s.why for s in strays}
    assert sum("points out of the zip" in w for w in why.values()) == len(bad)
    assert "links are not followed" in why[f"eve_{TWO}.ipynb"]
    assert "zip in the zip" in why["more.zip"] and "larger than" in why[f"bomb_{TWO}.ipynb"]
    assert why["Cyd_3_assignsubmission_file_"] == "the folder holds no notebook, but solution.pdf"
    assert why["readme.txt"] == "it is no notebook"
    assert len(why) == len(bad) + 6  # and the notebook that alice has twice
    assert os.listdir(tmp_path) == ["in"] and os.listdir(source.parent) == ["all.zip"]


def test_a_zip_that_lies_about_a_size_is_not_read(tmp_path):
    source = tmp_path / "all.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"alice_{TWO}.ipynb", b" " * (LARGEST + 1000))
    length = (LARGEST + 1000).to_bytes(4, "little")
    text = source.read_bytes()
    assert text.count(length) == 2  # before the data, and in the list of contents
    source.write_bytes(text.replace(length, (100).to_bytes(4, "little")))
    found, [stray] = find(source, KNOWN)
    assert not found and "Bad CRC-32" in stray.why


def test_a_zip_with_too_many_entries_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for i in range(MOST + 1):
            archive.writestr(str(i), b"")
    with pytest.raises(ValueError, match="at most 20000 entries"):
        find(tmp_path / "all.zip", KNOWN)


@pytest.mark.parametrize("name", ["nothing", "file.txt"])
def test_a_source_that_is_neither_folder_nor_zip(tmp_path, name):
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(ValueError, match="must be a folder or a zip"):
        find(tmp_path / name, KNOWN)


@pytest.mark.parametrize(
    "raw", ["..", ".", "", "a/b", "a\\\\b", "\x00", "a\nb", "-", "<script>", "a" * 500, "\u202eevil", " a", ".hidden"]
)
def test_a_name_is_safe_as_a_folder_and_on_a_page(raw):
    name = person(raw)
    assert name and len(name) <= 90 and not set(name) & set('/\\\\\0\n<>&"\u202e')
    assert not name.startswith((".", " ")) and name not in ("", "..")


def test_different_names_stay_different():
    raw = ["a/b", "a?b", "a_b", "a*b", "..", ".", ""]
    assert len({person(r) for r in raw}) == len(raw)
    assert person("Zoe\u0308") == person("Zo\u00eb") == "Zoë"


HONEST = {
    "nbgrader": [f"alice/{TWO}/{TWO}.ipynb", f"bob/{TWO}/{TWO}.ipynb"],
    "nbgrader in a folder": [f"term/submitted/alice/{TWO}/{TWO}.ipynb", f"term/submitted/bob/{TWO}/{TWO}.ipynb"],
    "nbgrader, by sections": [f"monday/alice/{TWO}/{TWO}.ipynb", f"tuesday/bob/{TWO}/{TWO}.ipynb"],
    "folders in folders": [f"all/2026/alice/{TWO}.ipynb", f"all/2026/bob/{TWO}.ipynb"],
    "Moodle": [f"alice_1_assignsubmission_file_/{TWO}.ipynb", "bob_2_assignsubmission_file_/own.ipynb"],
    "flat": [f"alice_1_22_{TWO}.ipynb", f"bob_2_23_{TWO}.ipynb"],
    "flat in a folder": [f"all/alice_1_22_{TWO}.ipynb", f"all/bob_2_23_{TWO}.ipynb"],
}


@pytest.mark.parametrize("layout", list(HONEST))
def test_layouts_of_a_class(tmp_path, layout):
    for path in HONEST[layout]:
        put(tmp_path / path, TEXT)
    found, strays = names(tmp_path)
    assert {s.split("_")[0] for s, _ in found} == {"alice", "bob"} and len(found) == 2 and not strays


@pytest.mark.parametrize(
    ("layout", "path"),
    [
        ("nbgrader", f"eve/alice/{TWO}/{TWO}.ipynb"),
        ("nbgrader", f"eve/{TWO}/alice/{TWO}/{TWO}.ipynb"),
        ("nbgrader", f"eve/{TWO}/alice_{TWO}.ipynb"),
        ("folders in folders", f"all/2026/eve/alice/{TWO}.ipynb"),
        ("folders in folders", f"all/2026/eve/bob/alice/{TWO}.ipynb"),
        ("nbgrader in a folder", f"term/submitted/eve/alice/{TWO}/{TWO}.ipynb"),
        ("Moodle", f"eve_3_assignsubmission_file_/alice_1/{TWO}/{TWO}.ipynb"),
        ("Moodle", f"eve_3_assignsubmission_file_/alice_1_{TWO}.ipynb"),
        ("Moodle", f"eve_3_assignsubmission_file_/alice_1_assignsubmission_file_/{TWO}.ipynb"),
        ("flat", f"eve_3_24_alice_1_22_{TWO}.ipynb"),
    ],
)
def test_nobody_hands_in_for_another(tmp_path, layout, path):
    """Names below a student's own folder, or behind the platform's own words, are the student's to choose."""
    for honest in HONEST[layout]:
        put(tmp_path / honest, TEXT, time=1_600_000_000)
    put(tmp_path / path, TEXT, time=1_700_000_000)
    found, _ = find(tmp_path, KNOWN)
    assert sorted(s.student.split("_")[0] for s in found) == ["alice", "bob", "eve"]
    alice = next(s for s in found if s.student.startswith("alice"))
    assert "eve" not in str(alice.path.relative_to(tmp_path))


def test_names_that_differ_in_case_only_are_one_student(tmp_path):
    """On some systems they are one folder."""
    put(tmp_path / "Alice" / f"{TWO}.ipynb", TEXT, time=1_600_000_000)
    put(tmp_path / "alice" / f"{TWO}.ipynb", TEXT, time=1_700_000_000)
    found, [stray] = find(tmp_path, KNOWN)
    assert [s.student for s in found] == ["alice"] and stray.name == f"Alice/{TWO}.ipynb"


def test_a_zip_tells_the_newer_of_two_by_the_minute_and_bears_a_date_that_is_none(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, minute in (("b", 10), ("a", 12), ("c", 11)):
            archive.writestr(zipfile.ZipInfo(f"alice/{name}.ipynb", (2026, 5, 4, 10, minute, 0)), TEXT)
        bad = zipfile.ZipInfo(f"bob/{TWO}.ipynb")
        bad.date_time = (1980, 0, 0, 0, 0, 0)
        archive.writestr(bad, TEXT)
    found, strays = find(tmp_path / "all.zip", KNOWN)
    assert [(s.student, s.inside) for s in found] == [("alice", "alice/a.ipynb"), ("bob", f"bob/{TWO}.ipynb")]
    assert len(strays) == 2


def test_the_exercise_is_the_one_whose_cells_are_most(tmp_path):
    tree = json.loads(TEXT)
    stranger = {"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade_id": "posterior-check"}}}
    tree["cells"].insert(0, stranger)
    put(tmp_path / "alice.ipynb", json.dumps(tree).encode())
    assert names(tmp_path) == ({("alice", TWO)}, {})


def test_a_notebook_of_nobody_is_told(tmp_path):
    """The folder of one student, given in place of the folder of all."""
    put(tmp_path / TWO / f"{TWO}.ipynb", TEXT)
    found, [stray] = find(tmp_path, KNOWN)
    assert not found and "give the folder above" in stray.why


@pytest.mark.parametrize(("text", "time"), [
    (b"2026-05-04 10:11:12.131415 UTC", "2026-05-04 10:11:12.131415+00:00"),
    (b"2026-05-04 10:11:12", "2026-05-04 10:11:12"),
    (b"yesterday", ""),
    (b"\xff" * 500, ""),
    (None, ""),
])  # fmt: skip
def test_when_it_was_handed_in_is_what_nbgrader_wrote(tmp_path, text, time):
    put(tmp_path / "alice" / TWO / f"{TWO}.ipynb", TEXT)
    if text is not None:
        put(tmp_path / "alice" / TWO / "timestamp.txt", text)
    [found], strays = find(tmp_path, KNOWN)
    assert found.handed_in() == time and not strays


def test_names_of_undecodable_bytes_stay_different():
    assert person("a\udc80") != person("a\udc81")
