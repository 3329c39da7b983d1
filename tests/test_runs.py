import json
import resource
import signal

import pandas as pd
import pytest
import torch

from occkd_lib.errors import OcckdError
from occkd_lib.project import write_atomically
from occkd_lib.runs import FORMAT, Run

CONFIG = {"lr": 0.1, "method": "teacher", "data": {"name": "synthetic"}}


@pytest.fixture
def run(tmp_path):
    return Run.open(tmp_path / "teacher", CONFIG)


def test_a_run_goes_from_new_to_done(run):
    assert run.status["state"] == "new"
    run.start()
    assert run.status["state"] == "running"
    assert run.status["environment"]["library_hash"]
    run.save_tensors("checkpoint", {"a": torch.ones(2)})
    run.finish(n={"train": 3})
    assert run.done
    assert run.status["n"] == {"train": 3}
    assert run.status["peak_memory_mib"]["host"] > 0
    assert run.load_tensors("checkpoint") is None, "a finished run needs no checkpoint"
    assert Run.open(run.folder, CONFIG).done


def test_a_run_of_another_recipe_is_refused_and_untouched(run):
    run.start()
    run.finish()
    before = (run.folder / "status.json").read_bytes()
    with pytest.raises(OcckdError, match=r"data.name: synthetic -> ferplus; lr: 0.1 -> 0.2"):
        Run.open(run.folder, {**CONFIG, "lr": 0.2, "data": {"name": "ferplus"}})
    assert (run.folder / "status.json").read_bytes() == before


def test_failure_is_recorded(run):
    run.start()
    run.fail(ValueError("no luck"))
    assert run.status["state"] == "failed"
    assert run.status["error"] == "ValueError: no luck"


def test_tensors_and_tables_come_back(run):
    run.save_tensors("model", {"w": torch.arange(6.0).view(2, 3).T}, {"epoch": 3})
    tensors, facts = run.load_tensors("model")
    assert torch.equal(tensors["w"], torch.arange(6.0).view(2, 3).T)
    assert facts == {"epoch": 3}
    table = pd.DataFrame({"id": ["a", "b"], "score_0": [0.5, 1.5]})
    for name in ("predictions.parquet", "history.csv"):
        run.save_table(name, table)
    pd.testing.assert_frame_equal(run.predictions, table)
    pd.testing.assert_frame_equal(run.history, table)


def test_what_is_missing_or_damaged_is_named(run):
    with pytest.raises(OcckdError, match=r"predictions.parquet is missing"):
        run.predictions  # noqa: B018
    (run.folder / "model.safetensors").write_bytes(b"not tensors at all")
    with pytest.raises(OcckdError, match=r"model.safetensors is damaged"):
        run.load_tensors("model")
    (run.folder / "status.json").write_text("{")
    with pytest.raises(OcckdError, match=r"status.json is not readable"):
        run.done  # noqa: B018


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.txt"
    path.write_text("old")

    def fail(aside):
        aside.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OcckdError, match="No space left on device; the previous version is untou"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_no_full_disk(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OcckdError, match="nothing was replaced; mend that and run again"):
        write_atomically(tmp_path / "file" / "x.json", lambda aside: aside.write_text("x"))


def test_the_old_checkpoint_survives_a_full_disk(run):
    """A real short write: the file-size limit of this process stands in for the disk's."""
    run.save_tensors("checkpoint", {"a": torch.zeros(10)}, {"epoch": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(OcckdError, match="free space"):
            run.save_tensors("checkpoint", {"a": torch.zeros(1_000_000)}, {"epoch": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert run.load_tensors("checkpoint")[1] == {"epoch": 1}


def test_status_is_plain_json(run):
    assert json.loads((run.folder / "status.json").read_text())["config"] == CONFIG


def test_a_run_without_an_epoch_gives_way_to_another_recipe(run):
    run.start()
    run.fail(ValueError("no luck"))
    other = {**CONFIG, "lr": 0.2}
    assert Run.open(run.folder, other).status["config"] == other
    run.save_tensors("checkpoint", {"a": torch.ones(1)})  # an epoch: worth keeping
    with pytest.raises(OcckdError, match="lr: 0.2 -> 0.1"):
        Run.open(run.folder, CONFIG)


def test_a_run_that_had_to_be_corrected_gives_way_to_the_correction(run):
    """A loss that is no number: the message says to lower lr, and then it must be possible to."""
    run.start()
    run.save_tensors("checkpoint", {"a": torch.ones(1)})
    run.fail(OcckdError("the loss became nan: lower the stage's lr"))
    assert Run.open(run.folder, CONFIG).has_checkpoint  # the same recipe goes on
    slower = {**CONFIG, "lr": 0.01}
    corrected = Run.open(run.folder, slower)
    assert corrected.status["config"] == slower and not corrected.has_checkpoint

    corrected.save_tensors("checkpoint", {"a": torch.ones(1)})
    corrected.fail(KeyboardInterrupt())  # nothing was wrong with it
    with pytest.raises(OcckdError, match="lr: 0.01 -> 0.1.*delete that folder"):
        Run.open(run.folder, CONFIG)


def test_runs_of_another_format_are_refused_and_never_a_twin(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path))
    config = {**CONFIG, "seed": 0}
    old = Run.open(tmp_path / "a" / "b" / "seed0" / "teacher", config)
    old.finish()
    text = (old.folder / "status.json").read_text()
    (old.folder / "status.json").write_text(text.replace(f'"format": {FORMAT}', '"format": 1'))
    asked = (lambda: old.done, lambda: old.fingerprint, lambda: Run.open(old.folder, config))
    for look_at in asked:
        with pytest.raises(OcckdError, match=r"another version of the library \(format 1, now 2\)"):
            look_at()
    new = Run.open(tmp_path / "c" / "b" / "seed0" / "teacher", config)
    assert not new.folder.is_symlink() and new.status["state"] == "new"


def test_seconds_of_a_run(run):
    assert run.seconds == 0
    run.start()
    run.add_seconds(50)
    run.finish()
    assert 50 <= run.status["wall_seconds"] < 60
