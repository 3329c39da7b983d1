"""The book's table of contents, and the graph of jobs that follows from it."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.execution.chapters import Chapter, Graph, Job, chapters_table, read_chapters
from occkd_lib.execution.parameters import declared_parameters
from occkd_lib.execution.workflow import Workflow
from occkd_lib.methods import METHODS

REPOSITORY = Path(__file__).parents[2]
CHAPTERS = read_chapters(REPOSITORY / "workflow" / "chapters.yaml")
EVERY = sorted(METHODS)

# --- the book itself ----------------------------------------------------------------------


def test_the_readme_has_this_table_of_contents():
    assert chapters_table(CHAPTERS) in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_every_notebook_is_a_chapter_and_every_chapter_a_notebook():
    names = sorted(path.stem for path in (REPOSITORY / "notebooks").glob("*.ipynb"))
    assert names == list(CHAPTERS)


def first_with(chapter) -> str:
    """The demo's first experiment that has a chapter."""
    whole = Workflow("demo").graph
    return next(name for name in whole.experiments if whole.has(name, chapter))


@pytest.mark.parametrize("chapter", CHAPTERS.values(), ids=lambda chapter: chapter.file)
def test_what_a_chapter_says_of_itself(chapter):
    """Its notebook declares what it is given, with the demo as default; methods and parts exist."""
    declared = declared_parameters(REPOSITORY / "notebooks" / f"{chapter.file}.ipynb")
    usual = {"recipe": "demo", "experiment": first_with(chapter), "seed": 0}
    assert {name: declared[name].default for name in usual if name in declared} == {
        name: usual[name] for name in chapter.parameters
    }
    assert set(chapter.methods) <= set(METHODS)
    for part in chapter.parts:
        assert importlib.util.find_spec(f"occkd_lib.{part}"), part


def markdown(file: str) -> list[str]:
    """The cells of text of a chapter."""
    book = nbformat.read(REPOSITORY / "notebooks" / f"{file}.ipynb", as_version=4)
    return [cell.source for cell in book.cells if cell.cell_type == "markdown"]


@pytest.mark.parametrize("number", range(len(CHAPTERS)))
def test_a_chapter_begins_with_its_aims_and_ends_with_its_neighbours(number):
    """Aims, needs and minutes are those of chapters.yaml; a summary and two links close it."""
    file, (head, *_, foot) = list(CHAPTERS)[number], markdown(list(CHAPTERS)[number])
    aims = head.split("**Aims.** ")[1]
    needs, time = aims.split("**Needs**")[1].split("**Executes**")
    assert ("in under a minute" in time) == (CHAPTERS[file].seconds < 60)
    if file != "19_report":  # which needs all that the recipe has
        assert set(re.findall(r"\((\w+)\.ipynb\)", needs)) >= set(CHAPTERS[file].builds_on)
    title, summary, links = foot.split("\n\n")
    assert title == "## In short" and "\n" not in summary + links
    near = list(CHAPTERS)[max(0, number - 1) : number + 2]
    linked = re.findall(r"\((\w+)\.ipynb\)", links)
    assert linked[0] == near[0] if number else linked == ["01_data"]
    assert linked[-1] == (near[-1] if number < len(CHAPTERS) - 1 else "00_start")


def test_the_homework_of_the_course_is_there():
    """Chapter 0 names exercises as [4.1](...), which is exercise 1 of chapter 4."""
    plan = next(text for text in markdown("00_start") if "Six sessions" in text)
    named = re.findall(r"\[(\d+)\.(\d)\]\((\w+)\.ipynb\)", plan)
    assert len(named) > 10
    for chapter, exercise, file in named:
        assert file in CHAPTERS and int(file[:2]) == int(chapter)
        assert any(f"\n**{exercise}. " in f"\n{text}" for text in markdown(file)), (file, exercise)


def test_nothing_else_knows_a_chapter():
    """No file name of a chapter in the library or in the Snakefile (docstrings may have one)."""
    for path in (*(REPOSITORY / "occkd_lib").rglob("*.py"), REPOSITORY / "workflow" / "Snakefile"):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            text = "\n".join(
                str(node.value)
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.Constant) and "\n" not in str(node.value)
                if not str(node.value).startswith("``")
            )
        assert not [file for file in CHAPTERS if file in text], path


# --- reading ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "01_a: {title: a, about: b, once: seed, parts: [c], build_on: []}",
            "01_a: build_on: there is no such setting: did you mean 'builds_on'",
        ),
        ("01_a: {title: a, once: seed, parts: [c]}", "01_a: about: Field required"),
        ("01_a: {title: a, about: b, once: week, parts: [c]}", "01_a: once"),
        ("first: {title: a, about: b, once: seed, parts: [c]}", "first: file"),
        (
            "01_a: {title: a, about: b, once: seed, parts: [c]}\n"
            "02_b: {title: a, about: b, once: seed, parts: [c], builds_on: [01_b]}",
            "02_b: no chapter '01_b': did you mean '01_a'",
        ),
        (
            "01_a: {title: a, about: b, once: seed, parts: [c], builds_on: [01_a]}",
            "01_a needs 01_a: a circle",
        ),
        ("- 01_a", "not a mapping"),
        ("01_a: [", "not a mapping"),
        ("01_a:", "not a mapping"),
    ],
)
def test_mistakes_are_one_line_that_names_the_file(tmp_path, text, message):
    (tmp_path / "chapters.yaml").write_text(text)
    with pytest.raises(OcckdError, match=message) as caught:
        read_chapters(tmp_path / "chapters.yaml")
    assert str(tmp_path / "chapters.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_checkout_no_chapters(monkeypatch, tmp_path):
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    with pytest.raises(OcckdError, match="inside the project's checkout"):
        read_chapters()


# --- the graph ----------------------------------------------------------------------------


def graph(methods=EVERY, seeds=(0,), **others) -> Graph:
    asked = {"seeds": seeds, "methods": methods, "ablations": True}
    experiments = {"fer": asked, **others}
    return Graph(CHAPTERS, experiments)


def files(jobs) -> list[str]:
    return [job.chapter for job in jobs]


def test_names_of_jobs_and_their_notebooks():
    assert Job("19_report").output == "notebooks/19_report.ipynb"
    assert Job("01_data", "fer").output == "notebooks/fer-01_data.ipynb"
    assert Job("02_teachers", "fer", 3).output == "notebooks/fer-seed3-02_teachers.ipynb"
    assert CHAPTERS["02_teachers"].job("fer", 3) == Job("02_teachers", "fer", 3)
    assert CHAPTERS["01_data"].job("fer", 3) == Job("01_data", "fer")
    assert CHAPTERS["19_report"].job("fer", 3) == Job("19_report")
    assert str(Job("02_teachers", "fer", 3)) == "02_teachers    fer          seed 3"


def test_all_chapters_in_the_order_of_the_book():
    jobs = graph(seeds=(0, 7)).jobs()
    middle = ["02_teachers", "03_students", "04_kd", "05_triplet_kd", "06_fusion",
              "07_ablations", "08_grad_cam"]  # fmt: skip
    last = ["09_mcnemar", "16_other_teachers", "00_start", "10_results", "19_report"]
    assert files(jobs) == ["01_data", *middle, *middle, *last]
    assert [job.seed for job in jobs] == [None, *[0] * 7, *[7] * 7, *[None] * 5]


@pytest.mark.parametrize(
    ("job", "before"),
    [
        (Job("01_data", "fer"), []),
        (Job("02_teachers", "fer", 7), [Job("01_data", "fer")]),
        (Job("06_fusion", "fer", 7), [Job("04_kd", "fer", 7), Job("05_triplet_kd", "fer", 7)]),
        (Job("09_mcnemar", "fer"), [Job("06_fusion", "fer", 0), Job("06_fusion", "fer", 7)]),
        (
            Job("19_report"),
            [
                Job("07_ablations", "fer", 0), Job("07_ablations", "fer", 7),
                Job("07_ablations", "age", 1), Job("10_results"),
                Job("16_other_teachers", "fer"), Job("16_other_teachers", "age"),
            ],
        ),
        (Job("10_results"), [Job("09_mcnemar", "fer"), Job("09_mcnemar", "age")]),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_job_waits_for(job, before):
    other = {"seeds": (1,), "methods": EVERY, "ablations": True}
    assert set(graph(seeds=(0, 7), age=other).before(job)) == set(before)


def test_only_an_experiment_with_ablations_has_their_chapter():
    without = {"seeds": (1,), "methods": EVERY}
    jobs = graph(age=without).jobs()
    assert [job.experiment for job in jobs if job.chapter == "07_ablations"] == ["fer"]
    waits = graph(age=without).before(Job("19_report"))
    assert waits == [Job("07_ablations", "fer", 0), Job("10_results"),
                     Job("16_other_teachers", "fer"), Job("16_other_teachers", "age")]  # fmt: skip


def test_an_experiment_without_distillation_has_fewer_chapters():
    some = graph(methods=["student", "teacher"])
    assert files(some.jobs()) == [
        "01_data", "02_teachers", "03_students", "08_grad_cam", "00_start", "19_report",
    ]  # fmt: skip
    assert some.before(Job("08_grad_cam", "fer", 0)) == [Job("03_students", "fer", 0)]
    assert some.before(Job("19_report")) == [Job("03_students", "fer", 0)]


def test_an_experiment_with_a_teacher_alone():
    alone = graph(methods=["teacher"])
    assert files(alone.jobs()) == ["01_data", "02_teachers", "00_start", "19_report"]
    assert alone.before(Job("19_report")) == [Job("02_teachers", "fer", 0)]


def test_one_way_of_distilling_is_enough_for_its_chapter():
    one = graph(methods=["control", "standard", "student", "teacher"])
    assert "04_kd" in files(one.jobs())
    assert "05_triplet_kd" not in files(one.jobs())
    assert one.before(Job("08_grad_cam", "fer", 0)) == [Job("04_kd", "fer", 0)]


def test_every_job_comes_after_those_that_it_waits_for():
    for methods in (EVERY, ["teacher"], ["student", "teacher"], ["adareg"]):
        some = graph(methods=methods, seeds=(0, 1), age={"seeds": (0,), "methods": EVERY})
        place = {job: n for n, job in enumerate(some.jobs())}
        for job in place:
            assert all(place[other] < place[job] for other in some.before(job)), job


def test_a_chapter_of_the_whole_recipe_waits_for_what_it_is_about():
    few = {"seeds": (0,), "methods": EVERY, "stages": ("modest_teacher", "student", "control"),
           "chapters": ("17_few_labels", "19_report")}  # fmt: skip
    both = Graph(CHAPTERS, {"fer": {"seeds": (0,), "methods": EVERY}, "labels": few})
    assert both.before(Job("17_few_labels")) == []
    assert Job("10_results") in both.before(Job("19_report"))
    assert both.before(Job("10_results")) == [Job("09_mcnemar", "fer")]


def test_the_longest_way_begins_first():
    long = {"02_b": {"builds_on": ("01_a",), "seconds": 20},
            "03_c": {"builds_on": ("01_a",), "seconds": 25}}  # fmt: skip
    last = {"04_d": {"builds_on": ("02_b", "03_c"), "seconds": 5}}
    some = Graph(
        {
            file: Chapter(file=file, title="", about="", once="seed", parts=("tasks",), **rest)
            for file, rest in ({"01_a": {}} | long | last).items()
        },
        {},
    )
    assert [some.way(file) for file in some.chapters] == [10 + 25 + 5, 20 + 5, 25 + 5, 5]
    report = some.chapters["04_d"].model_copy(update={"report": True})
    some = Graph({**some.chapters, "04_d": report}, {})
    assert [some.way(file) for file in some.chapters] == [10 + 25, 20, 25, 0]


def test_who_is_awaited():
    some = graph()
    assert some.awaited("04_kd")
    assert not some.awaited("08_grad_cam")


EDUCATION = {
    "seeds": (0, 1),
    "methods": ["ktn", "stsn", "teacher"],
    "stages": ["adareg", "ktn", "stsn_alone", "softmax", "stsn", "two_trunks"],
}


def part_two(**share) -> list[str]:
    """The chapters of an experiment on emotional education, seed 0, with ``share`` changed."""
    some = Graph(CHAPTERS, {"fer": {**EDUCATION, "seeds": (0,), **share}})
    return [file for file in files(some.jobs()) if file > "11"]


def test_an_experiment_has_the_chapters_that_its_stages_ask_for():
    assert part_two() == ["11_adareg", "12_coarse_fine", "13_emotional_education", "19_report"]
    pairs = part_two(stages=["ktn", "mobilenet", "mobilenet_alone"])
    assert pairs == ["13_emotional_education", "19_report"]
    both = part_two(stages=["both", "control", "education", "triplets"])
    assert both == ["15_together", "19_report"]
    assert part_two(test_on=True)[-2:] == ["14_cross_dataset", "19_report"]
    assert "14_cross_dataset" not in part_two(methods=["ktn"], test_on=True)


def test_the_results_wait_for_the_second_part():
    both = Graph(CHAPTERS, {"fer": EDUCATION, "other": {**EDUCATION, "test_on": True}})
    assert Job("14_cross_dataset") in both.before(Job("19_report"))
    before = set(both.before(Job("14_cross_dataset")))
    assert {Job("13_emotional_education", "other", seed) for seed in (0, 1)} <= before
    place = {job: n for n, job in enumerate(both.jobs())}
    assert all(place[other] < place[job] for job in place for other in both.before(job))
    assert both.jobs()[-1] == Job("19_report")


def test_an_experiment_is_told_in_the_chapters_that_it_names():
    told = {"seeds": (0,), "methods": EVERY, "chapters": ("04_kd", "19_report")}
    alone = Graph(CHAPTERS, {"fer": told})
    assert files(alone.jobs()) == ["04_kd", "19_report"]
    assert alone.before(Job("04_kd", "fer", 0)) == [], "what it builds on is not told either"
    both = Graph(CHAPTERS, {"fer": told, "age": {"seeds": (0,), "methods": EVERY}})
    assert {job.chapter for job in both.jobs() if job.experiment == "fer"} == {"04_kd"}
    assert Job("04_kd", "fer", 0) in both.before(Job("19_report"))
