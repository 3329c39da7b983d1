"""Damaged recipes: each is read, or refused with one line that names the file."""

from __future__ import annotations

import random

import pytest

from occkd_lib.config import load_recipe, recipe_file
from occkd_lib.errors import OcckdError

VALUES = (
    "null", "-1", "1e400", ".nan", "[]", "{}", "''", "yes", "[1, [2]]", "{a: 1}", "!!int x",
    "*unknown", "&a *a", "\u0000", "99999999999999999999", "name", "- x", ": :", "%YAML 9",
)  # fmt: skip


def damaged(text: str, rng: random.Random) -> bytes:
    """The recipe with one to three random changes."""
    content = text.encode()
    for _ in range(rng.randint(1, 3)):
        kind = rng.randrange(6)
        lines = content.split(b"\n")
        at = rng.randrange(len(lines))
        if kind == 0:  # any byte, mostly not UTF-8
            place = rng.randrange(len(content))
            content = content[:place] + bytes([rng.randrange(256)]) + content[place + 1 :]
        elif kind == 1:
            content = content[: rng.randrange(len(content))]
        elif kind == 2:
            content = b"\n".join(lines[:at] + lines[at + 1 :])
        elif kind == 3:
            content = b"\n".join([*lines[:at], lines[at], *lines[at:]])
        elif kind == 4 and b":" in lines[at]:  # another value
            key = lines[at].split(b":")[0]
            lines[at] = key + b": " + rng.choice(VALUES).encode()
            content = b"\n".join(lines)
        else:  # another indentation
            lines[at] = b" " * rng.randrange(9) + lines[at].lstrip()
            content = b"\n".join(lines)
        if not content:
            break
    return content


@pytest.mark.parametrize("name", ["demo", "icpr2020"])
def test_a_damaged_recipe_is_read_or_refused_with_one_line(tmp_path, name):
    text, refused = recipe_file(name).read_text(), 0
    path = tmp_path / "damaged.yaml"
    for seed in range(200):
        path.write_bytes(damaged(text, random.Random(f"{name}{seed}")))
        try:
            load_recipe(path)
        except OcckdError as error:
            refused += 1
            if str(path) not in str(error) or "\n" in str(error):
                pytest.fail(f"seed {seed}: {error}")
        except Exception as error:
            pytest.fail(f"seed {seed}: {type(error).__name__}: {error}")
    assert refused > 60, "most damage is noticed"


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"name: x\ndescription: \xe9\nexperiments: {a: {}}",
        b"",
        b"[]",
        b"experiments: {a: 3}",
        b"name: x\ndescription: d\ndefaults: 3\nexperiments: {a: {}}",
        b"name: x\ndescription: d\nexperiments: {a: {like: b}, b: {}}",
        b"name: x\ndescription: d\nexperiments: {1: {stages: {teacher: 5}}}",
        b"name: x\ndescription: d\nexperiments: {a: {stages: {teacher: {like: [1]}}}}",
        b"name: x\ndescription: d\nexperiments: {a: {data: 7, stages: [1]}}",
        b"a: &a [*a]\nexperiments: {x: *a}",
    ],
)
def test_what_was_once_a_traceback(tmp_path, content):
    path = tmp_path / "r.yaml"
    path.write_bytes(content)
    with pytest.raises(OcckdError) as found:
        load_recipe(path)
    assert "\n" not in str(found.value)
