"""The card: every number from the facts, nothing of a user's words with a meaning of its own."""

from __future__ import annotations

import json

import pytest
import yaml

from occkd_lib.apply.card import card, code, plain
from occkd_lib.apply.licences import licence_of
from tests.apply.test_model import facts

LINE = {
    "metric": "accuracy", "value": 71.25, "low": 68.5, "high": 73.75, "n": 1234, "seeds": 4,
    "over": "seeds and faces", "data": "synthetic", "split": "test", "view": "lower",
}  # fmt: skip
CALIBRATION = {
    "n": 321, "n_test": 654, "temperature": 1.7321, "ece_before": 0.0811, "ece_after": 0.0277,
    "nll_before": 0.9, "nll_after": 0.8,
}  # fmt: skip
RESULTS = [
    LINE, {**LINE, "metric": "weighted_accuracy", "value": 61.5},
    {**LINE, "subset": "this file", "value": 70.75, "seeds": 1, "over": "faces"},
    {**LINE, "view": "full", "value": 33.25}, {**LINE, "split": "val", "value": 44.25},
    {**LINE, "group": "gender female", "value": 55.75},
]  # fmt: skip


def front(text):
    return yaml.safe_load(text.split("---\n")[1])


def section(text, name):
    return text.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_the_front_matter():
    known = front(card(facts(results=RESULTS)))
    assert known["license"] == "mit" and known["datasets"] == ["synthetic"]
    assert {"occlusion", "category", "lower"} <= set(known["tags"])
    (entry,) = known["model-index"]
    values = [m["value"] for r in entry["results"] for m in r["metrics"]]
    assert values == [71.25, 61.5]  # not validation, not another view, no group, all seeds


def test_sections_and_their_numbers():
    text = card(facts(results=RESULTS, calibration=CALIBRATION, agreement=0.987))
    results = section(text, "Results")
    assert "| 71.25 [68.50, 73.75] | 1,234 | 4 | seeds and faces |" in results
    assert "70.75" in results and "33.25" in results and "44.25" in results and "98.70 %" in results
    assert "55.75" not in results and "55.75" in section(text, "By group")
    assert "1.7321" in section(text, "Calibration") and "8.11 % before, 2.77 %" in text
    assert "Research only" in section(text, "Intended use and limits")
    assert 'load("FOLDER")("photo.jpg")' in text
    for name in ("Model", "Data", "Protocol", "Licences", "Citation"):
        assert section(text, name).strip()


def test_years_have_an_interval():
    errors = {"n": 9, "n_test": 8, "spread": 5.25, "sd": 5.0, "bias": -1.5, "coverage": 0.9375}
    chosen = facts(task="age", classes=[], outputs=1, calibration=errors)
    said = section(card(chosen), "Calibration")
    assert "5.25 years" in said and "-1.50" in said and "93.8 %" in said


def test_nothing_is_claimed_that_was_not_measured():
    text = card(facts())
    assert "None were measured" in text and "No validation faces" in text
    assert "tell no groups apart" in text and "tested on nothing only" in text


def test_a_full_face_is_not_called_hidden():
    hides = "was set to zero"
    assert hides in card(facts()) and hides not in card(facts(visible="full"))


EVIL = 'a: "b"\n---\n# <script>alert(1)</script> | [x](http://y) `rm` *z*'


def test_words_of_users_stay_words():
    text = card(
        facts(
            title=EVIL, classes=[EVIL, "b", "c"], results=[{**LINE, "data": EVIL, "group": EVIL}],
            data={**facts().data.model_dump(), "name": EVIL, "title": EVIL, "label_rule": EVIL},
            origin={**facts().origin.model_dump(), "stage": EVIL},
        )
    )  # fmt: skip
    assert "<script>" not in text.split("---\n", 2)[2].replace("`" + code(EVIL)[1:-1] + "`", "")
    assert front(text)["model-index"][0]["name"] == " ".join(EVIL.split())
    body = text[text.index("\n---\n", 5) + 5 :]
    headings = [line for line in body.splitlines() if line.startswith("#")]
    assert len(headings) == 11  # the title and ten sections: none was smuggled in
    rows = [line for line in section(body, "By group").splitlines() if line.startswith("|")]
    assert [row.replace("\\|", "").count("|") for row in rows] == [4, 4, 4]


def test_escapes_by_hand():
    assert plain("a|b <i> *c*\n[d]") == "a\\|b &lt;i&gt; \\*c\\* \\[d\\]"
    assert code("a`b\nc") == "`a'b c`"


@pytest.mark.parametrize(
    ("data", "weights", "tag", "says"),
    [
        ("synthetic", "random", "mit", "drawn"),
        ("synthetic", "dlib_face_resnet29_fp16.safetensors", "other", "CC0"),
        ("utkface", "random", "other", "non-commercial"),
        ("own:SET", "mine.pth", "other", "does not know"),
    ],
)
def test_licences(data, weights, tag, says):
    found = licence_of(data, weights)
    assert found.tag == tag and says in json.dumps(found.model_dump())
    known = front(card(facts(licence=found.model_dump())))
    assert ("license_name" in known) == (tag == "other")
