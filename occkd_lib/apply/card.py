"""A model's facts as the card that goes with it, in the form of Hugging Face's model cards."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from occkd_lib.apply.facts import Facts, Result
from occkd_lib.apply.front import front_matter
from occkd_lib.tasks import METRICS

SPECIAL = re.compile(r"([\\`*_\[\]|~#$])")
# by task: Hugging Face's name of the task, and what the answer must not be taken for
KINDS = {
    "expression": "how a face looks to people who vote on pictures, not what a person feels",
    "gender": "apparent gender, two values as its annotators saw it, not who a person is",
    "age": "apparent age, as it was estimated or known for pictures, not a person's age",
}
OTHER_KIND = "what the labels of its data say of pictures, nothing more about persons"
VISIBLE = {
    "full": "the whole face",
    "lower": "the lower half of a face (a VR headset hides the upper one)",
    "upper": "the upper half of a face (a mask hides the lower one)",
}
STYLES = {
    "ferplus": "the faces of FER+ are",
    "utkface": "the aligned faces of UTKFace are",
    "folder": "those of its data are",
}
CITE = """\
@article{georgescu2022teacher,
  title   = {Teacher-student training and triplet loss to reduce the effect of drastic face
             occlusion: Application to emotion recognition, gender identification and age
             estimation},
  author  = {Georgescu, Mariana-Iuliana and Du\\c{t}\\u{a}, Georgian-Emilian and
             Ionescu, Radu Tudor},
  journal = {Machine Vision and Applications},
  volume  = {33},
  pages   = {12},
  year    = {2022},
  doi     = {10.1007/s00138-021-01270-x}
}"""


def card(facts: Facts) -> str:
    """The card as Markdown; every number in it is one of ``facts``, their words are escaped."""
    parts = [
        f"---\n{front_matter(facts)}---\n",
        f"# {plain(facts.title)}\n",
        _model(facts), _limits(facts), _data(facts), _protocol(facts),
        _results(facts), _groups(facts), _calibration(facts),
        _use(), _licence(facts), f"## Citation\n\n```bibtex\n{CITE}\n```\n",
    ]  # fmt: skip
    return "\n".join(part for part in parts if part)


def plain(text: object) -> str:
    """Anybody's words on one line, without any meaning in Markdown or HTML."""
    return SPECIAL.sub(r"\\\1", html.escape(" ".join(str(text).split()), quote=False))


def code(text: object) -> str:
    """Anybody's words as code within a line."""
    return "`" + " ".join(str(text).replace("`", "'").split()) + "`"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A GitHub table; cells are escaped already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def with_unit(result: Result) -> str:
    """'74.1 [72.6, 75.6]'."""
    return f"{result.value:.2f} [{result.low:.2f}, {result.high:.2f}]"


def _model(facts: Facts) -> str:
    net, crop, began = facts.network, facts.crop, facts.beginning
    says = ", ".join(plain(name) for name in facts.classes) or f"{plain(facts.task)}, in years"
    grey = "grey" if crop.channels == 1 else "RGB"
    streams = f", streams {plain(net.streams.trunks)}" if net.streams else ""
    frozen = ", on a frozen trunk that is part of the file" if net.frozen else ""
    return (
        f"## Model\n\n"
        f"* Says: {says}\n"
        f"* Sees: {VISIBLE.get(facts.visible, plain(facts.visible))}; trained on "
        f"{plain(' + '.join(facts.trained_on))}\n"
        f"* Takes: {crop.size} x {crop.size} pixels, {grey}, uint8, cut out as "
        f"{STYLES[crop.style]}; it hides, resizes and normalises them itself\n"
        f"* Network: {code(net.name)}{streams}{frozen}; began with {code(began.source)}\n"
        f"* Stored as {facts.dtype}; sha256 of its values {code(facts.sha256)}\n"
    )


def _limits(facts: Facts) -> str:
    kind = KINDS.get(facts.task, OTHER_KIND)
    tested = sorted({r.data for r in facts.results if r.split == "test"})
    drawn = (
        "\nIt learnt from **drawn** faces: of photographs it knows nothing.\n"
        if "built-in drawn" in facts.data.title else ""
    )  # fmt: skip
    hidden = (
        "" if facts.visible == "full"
        else ", where what is hidden was set to zero; real headsets and masks look otherwise"
    )  # fmt: skip
    return (
        "## Intended use and limits\n\n"
        "**Research only.** For experiments on faces of which half is hidden. What it says is "
        f"{kind}. It is not fit for any decision about a person, and must not be used to identify, "
        "watch, hire, grade or diagnose anybody.\n"
        f"{drawn}\n"
        f"It was tested on {', '.join(map(plain, tested)) or 'nothing'} only{hidden}. "
        "Other cameras, light and crops look otherwise: expect it to do worse there, and for some "
        "people much worse than for others (below).\n"
    )


def _data(facts: Facts) -> str:
    n = facts.data.n
    rule = f", labels by {code(facts.data.label_rule)}" if facts.data.label_rule else ""
    counts = ", ".join(f"{n.get(split, 0):,} {split}" for split in ("train", "val", "test"))
    share = facts.data.label_share
    few = f" It could use the labels of {100 * share:g} % of the training faces." if share else ""
    return (
        f"## Data\n\n{plain(facts.data.title)} ({code(facts.data.name)}{rule}): {counts} "
        f"faces.{few} Hash of faces and labels: {code(facts.data.fingerprint)}.\n"
    )


def _protocol(facts: Facts) -> str:
    o = facts.origin
    return (
        f"## Protocol\n\nRecipe {code(o.recipe)}, experiment {code(o.experiment)}, stage "
        f"{code(o.stage)}, seed {o.seed}; run {code(o.fingerprint)}, library "
        f"{plain(o.library_version)} ({code(o.library_hash)}), commit {code(o.git_commit)}. "
        "Nothing was chosen on test faces.\n"
    )


def _results(facts: Facts) -> str:
    rows = [
        (
            plain(r.data), r.split, plain(r.view), plain(r.subset), METRICS[r.metric].heading,
            with_unit(r), f"{r.n:,}", r.seeds, r.over,
        )
        for r in facts.results if r.group is None
    ]  # fmt: skip
    if not rows:
        return "## Results\n\nNone were measured.\n"
    head = (
        "faces", "split", "sees", "subset", "metric", "value [95 %]", "n", "seeds",
        "random in the interval",
    )  # fmt: skip
    decides = "decides as its run did" if facts.classes else "is within half a year of its run"
    same = (
        "" if facts.agreement is None
        else f"\nIt {decides} on {100 * facts.agreement:.2f} % of the test faces.\n"
    )  # fmt: skip
    return (
        f"## Results\n\n{table(head, rows)}\n'this file' is this network as it is stored; the "
        f"other lines are the mean of all seeds of its stage, as they were trained.\n{same}"
    )


def _groups(facts: Facts) -> str:
    found = [r for r in facts.results if r.group and r.view == facts.visible]
    if not found:
        return "## By group\n\nThe data tell no groups apart.\n"
    rows = [(plain(r.group), with_unit(r), f"{r.n:,}") for r in found]
    head = ("group", f"{METRICS[found[0].metric].heading} [95 %]", "n")
    return (
        f"## By group\n\nTest faces, by what their labels say; {found[0].seeds} "
        f"seed{'s' if found[0].seeds > 1 else ''}, interval over {found[0].over}.\n\n"
        f"{table(head, rows)}"
    )


def _calibration(facts: Facts) -> str:
    c = facts.calibration
    if not c.n:
        return "## Calibration\n\nNo validation faces: what it says of its own sureness is raw.\n"
    if c.spread is not None:
        text = f"Root mean square of the errors on {c.n:,} validation faces: {c.spread:.2f} years"
        if c.bias is not None and c.sd is not None:
            text += f" (bias {c.bias:+.2f}, standard deviation {c.sd:.2f})"
        text += "."
        if c.coverage is not None:
            text += f" The 95 % interval it gives holds {100 * c.coverage:.1f} % of {c.n_test:,} "
            text += "test faces."
        return f"## Calibration\n\n{text}\n"
    text = f"Temperature {c.temperature:.4f}, fitted on {c.n:,} validation faces."
    if c.ece_before is not None and c.ece_after is not None:
        text += (
            f" Expected calibration error (15 bins) on {c.n_test:,} test faces: "
            f"{100 * c.ece_before:.2f} % before, {100 * c.ece_after:.2f} % after."
        )
    if c.nll_before is not None and c.nll_after is not None:
        text += (
            f" Mean negative log-likelihood there: {c.nll_before:.4f} before, "
            f"{c.nll_after:.4f} after."
        )
    return f"## Calibration\n\n{text}\n"


def _use() -> str:
    return (
        "## How to use\n\n```\nocckd predict FOLDER PHOTO\n```\n\n```python\n"
        "from occkd_lib.apply import load\n\n"
        'faces = load("FOLDER")("photo.jpg")\n'
        "faces[0].box, faces[0].answer, faces[0].probabilities\n```\n"
    )


def _licence(facts: Facts) -> str:
    return (
        f"## Licences\n\n* Data: {plain(facts.licence.data)}\n* Weights it began with: "
        f"{plain(facts.licence.weights)}\n* Code: MIT. The values of this file stand under the "
        "narrowest of these terms.\n"
    )
