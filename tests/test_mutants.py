"""The list of wrong programs is one of today's library, and long enough."""

from tests.mutants import mutants, problem


def test_every_mutant_changes_one_line_that_is_there():
    every = list(mutants([]))
    assert len(every) >= 60
    assert not [text for text in map(problem, every) if text]
    assert all(m.right != m.wrong for m in every)
