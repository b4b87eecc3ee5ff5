"""The pages: figures against a class that was counted by hand, and words by others that must stay words."""

import html
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes

import pytest

from genedu.checks import Outcome
from genedu.grading.course import Asked, Assignment
from genedu.grading.pages import POLICY, feedback, number, scored
from genedu.grading.results import Result, Verdict
from genedu.grading.summary import Entry, histogram, summary

EXERCISE = Assignment(
    name="02_density_and_mixtures",
    locked={"setup": "LOCKED SOURCE"},
    asked={"a-check": Asked("a-check", "02.1", "alpha", 4.0), "b-check": Asked("b-check", "02.2", "beta", 6.0)},
    by_hand={},
    blank={},
    hidden=("density/em_ANSWER.py",),
    version="VERSION",
)
ESSAY = replace(EXERCISE, by_hand={"essay": 2.0}, blank={"essay": "YOUR ANSWER HERE"})
OTHER = replace(EXERCISE, name="01_generative")
COURSE = {"01_generative": OTHER, EXERCISE.name: EXERCISE}


def verdict(question, *outcomes):
    """Of outcomes as (points, "" where it holds, else hint, mistake)."""
    whats = [f"part {i} of {question}" for i in range(1, 4)]
    return Verdict(question, [Outcome(w, p, not hint, hint, name) for w, (p, hint, name) in zip(whats, outcomes, strict=False)])


def right(points):
    return (points, "", "")


SUM = (2, "the costs are added up", "sum for mean")
NONE = (3, "it is still to be written", "not written")
ODD = (3, "the numbers are wrong", "")


def result(student, alpha, beta, **more):
    return Result(student, EXERCISE.name, verdicts=[verdict("02.1", *alpha), verdict("02.2", *beta)], **more)


def entry(student, alpha, beta, **more):
    r = result(student, alpha, beta, **more)
    return Entry(student.capitalize(), r, r.points, f"feedback/{student}/page.html")


CLASS = [  # points 10, 7, 5, 2: mean 6, median 6; alpha 12 of 16, beta 12 of 24
    entry("ada", [right(2), right(2)], [right(3), right(3)]),
    entry("ben", [right(2), right(2)], [right(3), ODD], answers="same"),
    entry("cleo", [SUM, right(2)], [ODD, right(3)], answers="same"),
    entry("dan", [SUM, right(2)], [NONE, NONE]),
]


class Reader(HTMLParser):
    """What a browser makes of a page: tags, attributes and text; tags must be closed in order."""

    VOID = ("meta", "br")

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open, self.seen, self.headings = [], [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.seen).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.seen.append(data)

    def values(self, name):
        return [value for _, found, value in self.attributes if found == name]


def rows(page, label):
    """The body of the tables with this label, as the text of their cells."""
    tables = re.findall(rf'aria-label="{label}"[^>]*>(.*?)</table>', page, re.S)
    lines = [line for t in tables for line in re.findall(r"<tr>(.*?)</tr>", t.split("<tbody>")[1], re.S)]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.S) for line in lines]
    return [[" ".join(html.unescape(re.sub(r"<[^>]*>", " ", c)).split()) for c in line] for line in cells]


# the page of a student ----------------------------------------------------------------------------------------------


def test_feedback_says_what_holds_and_hints_where_not():
    r = result("cleo", [SUM, right(2)], [ODD, right(3)], notes=["code cell 3 ('1/0'): it raises ZeroDivisionError"])
    text = Reader(feedback(r, EXERCISE, shown="Cleo")).text
    assert "Feedback for Cleo 5 of 10 points" in text and "so far" not in text
    assert "Question 02.1: alpha 2 of 4 points ✗ fails : part 1 of 02.1 (0 of 2 points) Hint: the costs are added up" in text
    assert "✓ holds : part 2 of 02.1 (2 of 2 points)" in text
    held = Result("ada", EXERCISE.name, verdicts=[Verdict("02.1", [Outcome("what", 4, True, "a hint in reserve")])])
    assert "in reserve" not in feedback(held, EXERCISE, shown="Ada")
    assert text.count("✗ fails") == 2 and text.count("✓ holds") == 2
    assert "code cell 3 ('1/0'): it raises ZeroDivisionError" in text


def test_feedback_keeps_to_itself_what_is_not_for_students():
    private = {"answers": "HASH", "fingerprint": "PRINT", "gap": "GAP", "attention": ["ATTENTION"], "clock": True}
    page = feedback(result("realname", [SUM, right(2)], [ODD, NONE], **private), ESSAY, shown="student-7")
    secret = ["HASH", "PRINT", "GAP", "ATTENTION", "LOCKED", "ANSWER", "VERSION", "realname", "sum for mean", "seed", "solution"]
    assert [word for word in secret if word in page] == []


def test_points_set_by_hand_replace_the_automatic_ones():
    r = result("dan", [SUM, right(2)], [NONE, NONE])
    page = Reader(feedback(r, EXERCISE, shown="Dan", scores={"a-check": 3.5})).text
    assert "3.5 of 10 points" in page and "alpha 3.5 of 4 points, set by your instructor" in page
    assert "part 1 of 02.1 Hint" in page  # the outcome without its points, which do not count
    assert page.count("set by your instructor") == 1


def test_free_text_is_open_until_a_person_has_graded_it():
    r = result("ada", [right(2), right(2)], [right(3), right(3)])
    still = Reader(feedback(r, ESSAY, shown="Ada")).text
    assert "10 of 12 points so far" in still and "2 points not yet graded" in still and "Free text: essay not yet graded" in still
    for points, total in ((1.5, "11.5"), (0, "10")):
        done = Reader(feedback(r, ESSAY, shown="Ada", scores={"essay": points})).text
        assert f"{total} of 12 points" in done and "so far" not in done and "not yet graded" not in done
        assert f"essay {points} of 2 points, set by your instructor" in done
    blank = Reader(feedback(replace(r, blank=["essay"]), ESSAY, shown="Ada")).text
    assert "essay 0 of 2 points Nothing was written here." in blank and "so far" not in blank


def test_comments_stand_beside_the_question_wherever_nbgrader_keeps_them():
    comments = {"a": "of the answer's cell", "b-check": "of the grade cell", "gone": "of no cell", "essay": " \n"}
    text = Reader(feedback(result("ada", [right(4)], [right(6)]), ESSAY, shown="Ada", comments=comments)).text
    assert re.search("Question 02.1.*of the answer's cell.*Question 02.2.*of the grade cell.*Comments.*gone: of no cell", text)
    assert text.count("Comment by your instructor") == 2


def test_a_question_without_a_verdict_earns_nothing():
    text = Reader(feedback(Result("ada", EXERCISE.name), EXERCISE, shown="Ada")).text
    assert "0 of 10 points" in text and text.count("It was not judged.") == 2


def test_a_flood_of_notes_is_cut_and_says_so():
    text = Reader(feedback(result("ada", [], [], notes=[f"note {i}." for i in range(1000)]), EXERCISE, shown="Ada")).text
    assert "note 39." in text and "note 40." not in text and "and 960 more like these" in text


@pytest.mark.parametrize(("scores", "name", "message"), [
    ({"c-check": 1.0}, EXERCISE.name, r"grade cells .*'a-check', 'b-check'.*got 'c-check'"),
    ({"a-check": float("nan")}, EXERCISE.name, "finite number, that of 'a-check' is nan"),
    ({}, "01_generative", "one of '02_density_and_mixtures', it is one of '01_generative'"),
])  # fmt: skip
def test_scores_that_fit_no_cell_are_refused(scores, name, message):
    with pytest.raises(ValueError, match=message):
        scored(Result("ada", name), EXERCISE, scores)


@pytest.mark.parametrize(("value", "text"), [(3.0, "3"), (2.5, "2.5"), (20 / 3, "6.67"), (-0.001, "0"), (0, "0"), (100.0, "100")])
def test_numbers_have_two_decimals_at_most(value, text):
    assert number(value) == text


# the page of a class ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page():
    return summary(CLASS, COURSE, [("notes/readme.ipynb", "it belongs to no exercise")], gap="")


def test_figures_of_the_class_are_those_counted_by_hand(page):
    text = Reader(page).text
    assert "4 submissions: mean 6, median 6 of 10 points." in text and "No submissions: 01 generative." in text
    [label] = [v for v in Reader(page).values("aria-label") if v.startswith("Students by points")]
    counts = {0: 0, 1: 0, 2: 1, 3: 0, 4: 0, 5: 1, 6: 0, 7: 1, 8: 0, 9: 0, 10: 1}
    assert label == "Students by points. " + "; ".join(f"{p} points: {n}" for p, n in counts.items()) + "."


def test_median_and_mean_differ_where_they_should():
    points = [10, 10, 7, 5, 2]
    made = summary([replace(CLASS[0], points=p) for p in points], COURSE, [], gap="")
    assert "5 submissions: mean 6.8, median 7 of 10 points." in Reader(made).text


def test_the_hardest_question_comes_first(page):
    assert rows(page, "Questions") == [["02.2 beta", "50 %", "3 of 6"], ["02.1 alpha", "75 %", "3 of 4"]]


def test_wrong_answers_are_counted_by_the_first_mistake(page):
    assert rows(page, "Wrong answers") == [
        ["02.2", "2", "not recognised the numbers are wrong"],
        ["02.2", "1", "not written it is still to be written"],
        ["02.1", "2", "sum for mean the costs are added up"],
    ]


def test_of_several_hints_for_a_mistake_the_commonest_is_shown():
    raised = [entry(f"s{i}", [(4, hint, "raises")], [right(6)]) for i, hint in enumerate(["rare", "common", "common"])]
    assert rows(summary(raised, COURSE, [], gap=""), "Wrong answers") == [["02.1", "3", "raises common"]]


def test_every_student_has_a_row_and_a_link(page):
    assert rows(page, "Students") == [
        ["Ada", "4", "6", "10"], ["Ben", "4", "3", "7"], ["Cleo", "2", "3", "5"], ["Dan", "2", "0", "2"],
    ]  # fmt: skip
    links = [v for v in Reader(page).values("href") if v.endswith("dan/page.html")]
    assert links == ["./feedback/dan/page.html"]


def test_points_set_by_hand_count_in_questions_and_rows():
    marked = replace(CLASS[3], points=9.5, scores={"b-check": 5.5, "a-check": 4.0})
    made = summary([*CLASS[:3], marked], COURSE, [], gap="")
    assert rows(made, "Students")[3] == ["Dan", "4*", "5.5*", "9.5"]
    assert rows(made, "Questions") == [["02.2 beta", "73 %", "4.38 of 6"], ["02.1 alpha", "88 %", "3.5 of 4"]]
    assert rows(made, "Wrong answers") == rows(summary(CLASS, COURSE, [], gap=""), "Wrong answers")  # what was written stays


def test_identical_answers_name_each_other(page):
    assert rows(page, "A person’s eye") == [["Ben", "the same answers as Cleo"], ["Cleo", "the same answers as Ben"]]


@pytest.mark.parametrize("change", [{"points": 0, "bens": 0}, {"bens": 0}, {"hash": ""}, {"other": "01_generative"}])
def test_answers_that_are_alike_for_a_reason_are_not_named(change):
    """Nothing earned by both, or by one, nothing hashed, another exercise."""
    ben, cleo = replace(CLASS[1], points=change.get("bens", 7)), replace(CLASS[2], points=change.get("points", 5))
    ben = replace(ben, result=replace(ben.result, answers=change.get("hash", "same")))
    cleo = replace(cleo, result=replace(cleo.result, answers=change.get("hash", "same")))
    ben = replace(ben, result=replace(ben.result, assignment=change.get("other", EXERCISE.name)))
    assert "the same answers" not in summary([ben, cleo], COURSE, [], gap="")


def test_many_identical_answers_are_cut_and_say_so():
    same = [entry(f"s{i:02}", [right(4)], [right(6)], answers="same") for i in range(20)]
    [first, *_] = rows(summary(same, COURSE, [], gap=""), "A person’s eye")
    assert first[0] == "S00" and first[1].count("S") == 10 and first[1].endswith("S10 and 9 more")


def test_what_needs_an_eye_says_why():
    odd = [
        entry("ada", [right(4)], [right(6)]),
        entry("ben", [right(4)], [ODD], attention=["the locked cell 'x' was changed", "to be graded by hand: essay"]),
        entry("cleo", [right(4)], [ODD], clock=True),
    ]
    graded = [replace(odd[0], scores={"essay": 2.0}), *odd[1:]]
    course = {EXERCISE.name: ESSAY}
    [ben, cleo] = rows(summary(graded, course, [], gap=""), "A person’s eye")
    assert ben == ["Ben", "the locked cell 'x' was changed free text to be graded by hand: essay"]
    assert cleo[1].startswith("stopped by the clock, twice") and cleo[1].endswith("free text to be graded by hand: essay")
    done = [replace(e, scores={"essay": 2.0}) for e in odd]
    assert "graded by hand" not in summary(done, course, [], gap="")  # though the judge's note is still in the result


def test_free_text_that_nobody_graded_does_not_count_as_wrong():
    marked = [replace(CLASS[0], scores={"essay": 1.0}), *CLASS[1:]]
    made = summary(marked, {EXERCISE.name: ESSAY}, [], gap="")
    assert ["essay 1 of 4 graded", "50 %", "1 of 2"] in rows(made, "Questions")
    assert "In 3 of them free text is not yet graded" in Reader(made).text
    assert [line[3] for line in rows(made, "Students")] == ["1*", "–", "–", "–"]
    none = summary(CLASS, {EXERCISE.name: ESSAY}, [], gap="")
    assert rows(none, "Questions")[-1] == ["essay 0 of 4 graded", "–", "–"]  # not known to be hard: last


def test_those_with_free_text_only_come_after_the_others():
    entries = [entry("ada", [right(4)], [right(6)]), entry("ben", [right(4)], [right(6)], clock=True)]
    made = summary(entries, {EXERCISE.name: ESSAY}, [], gap="")
    assert [line[0] for line in rows(made, "A person’s eye")] == ["Ben", "Ada"]


def test_files_that_were_not_graded_are_listed(page):
    assert rows(page, "Files") == [["notes/readme.ipynb", "it belongs to no exercise"]]
    assert "Files that were not graded" not in summary(CLASS, COURSE, [], gap="")


def test_a_gap_is_warned_of_and_comes_first(page):
    assert "Warning" not in page
    kept = [replace(CLASS[0], result=replace(CLASS[0].result, gap="of an earlier run")), *CLASS[1:]]
    text = Reader(summary(kept, COURSE, [], gap="no bubblewrap: <b>")).text
    assert "The class ⚠ Warning: not everything was protected no bubblewrap: <b> of an earlier run 4 submissions" in text


def test_an_empty_class_gives_a_page():
    reader = Reader(summary([], COURSE, [("x.ipynb", "a reason")], gap="a gap"))
    assert "Nothing has been graded yet." in reader.text and "No submissions: 01 generative, 02 density" in reader.text
    assert "a reason" in reader.text and "a gap" in reader.text
    assert Reader(summary([], {}, [], gap="")).text.endswith("Nothing has been graded yet.")


@pytest.mark.parametrize(("change", "name"), [({"points": float("inf")}, ""), ({}, "09_unknown")])
def test_an_entry_that_fits_no_exercise_is_refused(change, name):
    wrong = replace(CLASS[0], **change, result=replace(CLASS[0].result, assignment=name or EXERCISE.name))
    with pytest.raises(ValueError, match=r"finite points for one of \['01_generative', '02_density_and_mixtures'\], got"):
        summary([wrong], COURSE, [], gap="")


def counts_of(points, of):
    label = re.search(r'aria-label="Students by points. (.*?)\."', histogram(points, of))[1]
    return {name: int(n) for name, n in re.findall(r"(\S+) points: (\d+)", label) if n != "0"}


@pytest.mark.parametrize(("points", "of", "counts"), [
    ([9.99, 10, 11.5, -1], 10, {"9": 1, "10": 2, "0": 1}),  # extra points in the last column
    ([0, 1, 2, 12], 12, {"0–1": 2, "2–3": 1, "12": 1}),
    ([99, 100, 40], 100, {"90–99": 1, "100": 1, "40–49": 1}),
    ([0], 0, {"0": 1}),
    ([2.5], 2.5, {"2": 1}),
])  # fmt: skip
def test_the_picture_counts_everybody_once(points, of, counts):
    assert counts_of(points, of) == counts


# words by others ----------------------------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></main><iframe src=//evil>",
    "<!-- --><![CDATA[",
    "&lt;b&gt; &#60;i>",
    "\ud800 lone \udfff",
    "null \x00 bell \x07 escape \x1b[31m \x85 \x7f",
    "\u202egnp.exe\u2066",
    "\ufffe\U0001f600é",
    "A" * 10_000,
    "javascript:alert(1)",
    "//evil.example/x",
    " \t\n",
    "",
    "#=x",
]
TAGS = set("html head meta title style body main h1 h2 h3 p span i b br div section aside ul li code bdi footer a small".split())
TAGS |= {"table", "thead", "tbody", "tr", "th", "td", "nav"}
ATTRIBUTES = set("lang charset http-equiv content name class style aria-hidden aria-label role tabindex scope href id".split())


def hostile_pages(text):
    failed = [Verdict(q, [Outcome("what", 4, False, text, text)]) for q in ("02.1", "02.2")]
    r = Result(text, EXERCISE.name, verdicts=failed, notes=[text], attention=[text], gap=text, answers=text, graded=text)
    entries = [Entry(text, r, 3.0, f"feedback/{text}/p.html"), Entry(text, r, 3.0, text)]
    yield feedback(r, ESSAY, shown=text, comments={text: text, "a": text + "x"})
    yield summary(entries, {EXERCISE.name: ESSAY}, [(text, text)], gap=text)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_words_stay_words(text):
    """The page has just the elements that it has with harmless words."""
    for page, harmless in zip(hostile_pages(text), hostile_pages("words"), strict=True):
        page.encode("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe]", page)
        reader = Reader(page)
        assert set(reader.tags) <= TAGS and {name for _, name, _ in reader.attributes} <= ATTRIBUTES
        assert page.count("<!") == 1
        for value in reader.values("href"):
            assert value.startswith(("#exercise-", "./")) and not re.search(r"""[\s"'<>:\\]""", value)
        assert all(re.fullmatch(r"(width: [\d.]+%|height: [\d.]+rem)", v) for v in reader.values("style"))
        assert reader.tags == Reader(harmless).tags or not text.strip()


@pytest.mark.parametrize("text", [*HOSTILE[:3], HOSTILE[5]])
def test_hostile_words_can_be_read(text):
    for page in hostile_pages(text):
        assert text in Reader(page).text


def test_long_words_are_cut():
    student, group = hostile_pages("A" * 10_000)
    assert "A" * 60 + "…" in student and "A" * 601 not in Reader(student.replace("A" * 10_000, "")).text
    assert len(student) < 40_000 and "A" * 60 + "…</bdi></a>" in group


def test_a_name_that_is_no_utf8_has_a_link_that_leads_to_its_file():
    name = b"caf\xe9/p?.html".decode("utf-8", "surrogateescape")
    made = summary([replace(CLASS[0], link=name)], COURSE, [], gap="")
    assert [unquote_to_bytes(v) for v in Reader(made).values("href")] == [b"./caf\xe9/p?.html"]


def test_right_to_left_names_are_kept_in_their_own_element():
    made = summary([replace(CLASS[0], shown="يوسف")], COURSE, [], gap="")
    assert "<bdi>يوسف</bdi></a>" in made and "<bdi>يوسف</bdi>" in feedback(CLASS[0].result, EXERCISE, shown="يوسف")


# any page -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [
    feedback(CLASS[2].result, ESSAY, shown="Cleo", comments={"zz": "x"}),
    summary(CLASS, COURSE, [("a", "b")], gap="a gap"),
    summary([], {}, [], gap=""),
])  # fmt: skip
def test_a_page_is_one_file_without_script_that_says_so(made):
    reader = Reader(made)
    assert made.startswith('<!DOCTYPE html>\n<html lang="en">') and '<meta charset="utf-8">' in made
    assert POLICY == "default-src 'none'; style-src 'unsafe-inline'; img-src data:" and POLICY in reader.values("content")
    assert "width=device-width, initial-scale=1" in reader.values("content")
    assert "script" not in made and "url(" not in made and "@import" not in made and "//" not in made
    assert not [name for _, name, _ in reader.attributes if name == "src" or name.startswith("on")]
    assert reader.headings[0] == 1 and reader.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(reader.headings, reader.headings[1:], strict=False))
    assert "prefers-color-scheme: dark" in made and "@media print" in made


def test_the_pages_of_200_students_take_less_than_half_a_second():
    entries = [
        entry(f"s{i}", [SUM, right(2)], [ODD, right(3)], answers=f"{i // 50}", notes=["note"] * 5, attention=["look"] * 3)
        for i in range(200)
    ]
    start = time.process_time()
    pages = [summary(entries, COURSE, [("a", "b")] * 20, gap="")]
    pages += [feedback(e.result, EXERCISE, shown=e.shown, scores={"a-check": 1.0}) for e in entries]
    assert time.process_time() - start < 0.5 and len(pages) == 201
