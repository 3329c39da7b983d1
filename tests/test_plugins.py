"""Names of the book, and import paths of one's own."""

import sys

import pytest

from occkd_lib import plugins
from occkd_lib.errors import OcckdError


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "mine_for_plugins.py").write_text("THING = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mine_for_plugins", raising=False)
    return tmp_path / "mine_for_plugins.py"


def test_a_name_of_the_book(module):
    assert plugins.resolve("network", "a", {"a": 1}) == 1
    with pytest.raises(OcckdError, match=r"no network 'compcat': did you mean 'compact'\?; there "):
        plugins.resolve("network", "compcat", {"compact": 1})


def test_an_import_path(module):
    assert plugins.resolve("network", "mine_for_plugins:THING", {}) == 42


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere_at_all:X", "cannot be imported .ModuleNotFoundError"),
        ("mine_for_plugins:NONE", "mine_for_plugins.py has no 'NONE'"),
        (":X", "write an import path as package.module:Name"),
        ("mine_for_plugins:", "write an import path as package.module:Name"),
    ],
)
def test_an_import_path_that_leads_nowhere(module, path, message):
    with pytest.raises(OcckdError, match=message):
        plugins.resolve("loss", path, {})


def test_sources_are_hashed(module):
    content = {"a": [{"loss": "mine_for_plugins:THING"}, "C:not a path", "12:30"], "b": "compact"}
    (found,) = plugins.sources(content).items()
    assert found[0] == "mine_for_plugins:THING"
    module.write_text("THING = 43\n")
    assert plugins.sources(content) != dict([found])


def test_what_is_an_import_path():
    assert plugins.is_import_path("a.b:C") and plugins.is_import_path("a:c")
    for text in ("a", "a:", ":b", "a b:c", "1a:b", "http://x:y", "a:b:c"):
        assert not plugins.is_import_path(text), text
