"""Where the networks look: Grad-CAM of some faces (journal, Fig. 3-5), and the number behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from occkd_lib.config import Experiment
from occkd_lib.data import FaceSet
from occkd_lib.evaluation import interval, paired_bootstrap
from occkd_lib.explain import NoFeatureMap, grad_cam, mass_on_visible, one_population
from occkd_lib.methods import Row
from occkd_lib.models import FaceNet
from occkd_lib.occlusion import face_keys, varies, view_title, visible_pixels
from occkd_lib.results.store import Store, rows_on
from occkd_lib.results.text import Section, intervals, printed
from occkd_lib.results.weights import check_faces, has_data, has_weights
from occkd_lib.runs import Run
from occkd_lib.stages import faces_of, graph, load_network
from occkd_lib.stages.networks import outputs_of
from occkd_lib.tasks import task_of
from occkd_lib.tasks.metrics import MEAN_ABSOLUTE_ERROR
from occkd_lib.training.device import Compute
from occkd_lib.training.predict import predict
from occkd_lib.training.predictions import NETWORK
from occkd_lib.training.views import Views

FROZEN = (
    "Its networks stand on a frozen trunk, which looks alike whatever they are taught. Maps of all "
    "test faces would take longer than all trainings did, and are left out."
)
MASS = ["mass, %", "low", "high"]
CHUNK = 512  # faces whose maps are held at once
Watched = tuple[FaceNet, str]  # a network, and the view that it is shown


@dataclass(frozen=True)
class Explanation:
    """What a network sees of N faces, where it finds its answer, and the answer.

    view: what it is shown. seen: N x C x S x S, uint8. maps: N x S x S in [0, 1]. said: N answers
    in words.
    """

    view: str
    seen: Tensor
    maps: Tensor
    said: list[str]


def explain(network: Watched, faces: FaceSet, *, target: int | Tensor | None = None) -> Explanation:
    """Grad-CAM of all ``faces``, for the network's own answer or for ``target``; see grad_cam.

    The network is moved to the best device.
    """
    model, view = network
    compute, task = Compute.best("fp32"), task_of(faces.task)
    views = Views(faces, model.to(compute.device).input_spec, compute.device)
    index = torch.arange(len(faces), device=compute.device)
    output = predict(model, views, view, compute=compute).output
    return Explanation(
        view,
        seen=views.pixels(view, index).cpu(),
        maps=grad_cam(model, views, view, index, target=target, compute=compute),
        said=task.words(task.decide(output), faces.classes),
    )


def visible_shares(
    network: Watched, faces: FaceSet, visible: str, *, precision: str = "fp32"
) -> np.ndarray:
    """Share of each face's Grad-CAM mass that lies on what ``visible`` shows, N in 0..1; NaN for
    an empty map."""
    model, view = network
    compute = Compute.best(precision)
    views = Views(faces, model.to(compute.device).input_spec, compute.device)
    parts = torch.arange(len(faces), device=compute.device).split(CHUNK)
    keys = views.keys.cpu() if varies(visible) else None
    shares = [
        mass_on_visible(
            grad_cam(model, views, view, part, compute=compute),
            visible,
            None if keys is None else keys[part.cpu()],
        )
        for part in parts
    ]
    return torch.cat(shares).numpy()


def attention_table(
    networks: Mapping[str, Watched],
    test: FaceSet,
    visible: str,
    *,
    against: str,
    faces: int | None = None,
) -> pd.DataFrame:
    """How much of the Grad-CAM mass of each network lies on the visible part; see shares_table.

    faces: how many of ``test`` are looked at, None for all.
    """
    chosen = test.sample(faces)
    shares = {name: visible_shares(look, chosen, visible) for name, look in networks.items()}
    return shares_table(shares, {name: view for name, (_, view) in networks.items()}, against)


def shares_table(
    shares: Mapping[str, np.ndarray], sees: Mapping[str, str], against: str
) -> pd.DataFrame:
    """Means and differences of shares of mass, all of them over one and the same population.

    shares: network -> N in 0..1, or S x N of S seeds, whose mean is a face's share; NaN for an
    empty map. sees: network -> the view it is shown. One row a network: sees, mass (mean over
    faces, per cent), low, high (95 % bootstrap interval over faces), minus ``against`` (paired,
    points) with its own low and high, n (faces of which every network has a map in every seed; a
    network without any map at all is left out of that), empty (how many maps of this network are
    zero everywhere), maps (how many there are).
    """
    some = {name: values for name, values in shares.items() if not np.isnan(values).all()}
    kept, _ = one_population(some) if some else (np.zeros(0, dtype=bool), {})
    means = {name: 100 * np.atleast_2d(v)[:, kept].mean(axis=0) for name, v in some.items()}
    # a share is its own distance from zero: the metric is a mean
    mean, zero = MEAN_ABSOLUTE_ERROR, np.zeros(int(kept.sum()))
    minus = [f"minus {against}{end}" for end in ("", ", low", ", high")]
    rows: dict[str, dict[str, object]] = {}
    for name, values in shares.items():
        empty = int(np.isnan(values).sum())
        row = {"sees": sees[name], "n": len(zero), "empty": empty, "maps": values.size}
        if name in means and len(zero):
            found = interval(zero, means[name], mean)
            row |= zip(MASS, printed(found, mean), strict=True)
            if name != against and against in means:
                paired = paired_bootstrap(zero, means[name], means[against], mean)
                row |= zip(minus, printed(paired, mean), strict=True)
        rows[name] = row
    columns = ["sees", *MASS, *minus, "n", "empty", "maps"]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).round(2)


def watched(experiment: Experiment) -> dict[str, Row]:
    """Label -> row of every network that is looked at, as ``rows_on`` calls it."""
    rows = rows_on(experiment, experiment.visible)
    return {label: row for label, row in rows.items() if row.key == NETWORK}


def reference_of(rows: Mapping[str, Row]) -> str:
    """The network that the others are compared with: the first undistilled student, or else the
    first row."""
    students = (row.student for row in rows.values() if row.student in rows)
    return next(students, None) or next(iter(rows))


def networks_by_seed(store: Store, name: str) -> dict[int, dict[str, Run]]:
    """Seed -> stage -> run, where every network of ``watched`` is done and has its weights."""
    stages = {row.stage for row in watched(store.recipe.experiment(name)).values()}
    runs = store.runs(name)
    return {
        seed: {stage: runs[seed, stage] for stage in stages}
        for seed in store.complete_seeds(name, stages)
        if all(has_weights(runs[seed, stage]) for stage in stages)
    }


def attention_over_seeds(store: Store, name: str) -> pd.DataFrame:
    """``shares_table`` of an experiment: all test faces, all seeds of ``networks_by_seed``.

    Intervals are over faces. Two more columns: chance (per cent of the pixels that the visible
    part has), seeds.
    """
    experiment, by_seed = store.recipe.experiment(name), networks_by_seed(store, name)
    rows, faces = watched(experiment), faces_of(experiment)
    check_faces((run for runs in by_seed.values() for run in runs.values()), faces)
    test = faces.split("test")
    shares = {
        label: np.stack(
            [kept_shares(r[row.stage], experiment, row, test) for r in by_seed.values()]
        )
        for label, row in rows.items()
    }
    table = shares_table(shares, {k: row.view for k, row in rows.items()}, reference_of(rows))
    return table.assign(chance=chance(experiment, faces), seeds=len(by_seed))


def chance(experiment: Experiment, faces: FaceSet) -> float:
    """Per cent of the pixels that lie on the visible part."""
    keys = face_keys(faces.split("test").ids) if varies(experiment.visible) else None
    height, width = faces.images.shape[2:]
    shown = visible_pixels(experiment.visible, height, width, keys)
    return round(100 * float(shown.float().mean()), 2)


def kept_shares(run: Run, experiment: Experiment, row: Row, test: FaceSet) -> np.ndarray:
    """``visible_shares`` of a row's network; computed once, then kept in its run's folder.

    Another experiment may share the run and ask for another part of the face.
    """
    name = re.sub(r"[^\w-]", "_", f"attention-{row.view}-on-{experiment.visible}") + ".parquet"
    if not (run.folder / name).is_file():
        network = graph(experiment)[row.stage].network
        looks = load_network(network, outputs_of(experiment), run), row.view
        found = visible_shares(looks, test, experiment.visible, precision=experiment.precision)
        run.save_table(name, pd.DataFrame({"id": test.ids, "share": found}))
    return run.table(name).set_index("id")["share"].loc[test.ids].to_numpy()


def sections(store: Store) -> Iterator[Section]:
    """Where the networks of each experiment look, for those whose weights and data are here."""
    for name, experiment in store.recipe.experiments.items():
        if not (has_data(experiment) and networks_by_seed(store, name)):
            continue
        if chance(experiment, faces_of(experiment)) == 100:
            continue  # nothing is hidden: all mass is on the visible part
        if any(stage.network.frozen for stage in graph(experiment).values()):
            yield Section(f"Grad-CAM {name}", FROZEN, pd.DataFrame(), pd.DataFrame())
            continue
        part = view_title(experiment.visible)
        try:
            table = attention_over_seeds(store, name)
        except NoFeatureMap as error:
            yield Section(f"Grad-CAM {name}", str(error), pd.DataFrame(), pd.DataFrame())
            continue
        expected = table["chance"].iloc[0]
        sentence = (
            f"Share of the Grad-CAM mass on the {part}; {expected:.0f} % of the pixels lie there. "
            f"Everything is over the same {table['n'].iloc[0]:,} test faces: those of which every "
            "network has a map in every seed; a face's share is its mean over the seeds. "
            "Differences are paired, face by face. Empty: maps that are zero everywhere, of all."
        )
        yield Section(f"Grad-CAM {name}", sentence, table, as_text(table, part))


def as_text(table: pd.DataFrame, part: str) -> pd.DataFrame:
    """``attention_over_seeds``, ready to print; part: the visible one, in words."""
    minus = [name for name in table.columns if name.startswith("minus ")]
    text = {
        "sees": table["sees"],
        f"mass on the {part}, %": intervals(table[MASS]),
        f"{minus[0]}, points": intervals(table[minus], sign="+"),
        "n": table["n"].map("{:,}".format),
        "empty": [f"{e:,} of {m:,}" for e, m in table[["empty", "maps"]].to_numpy()],
        "seeds": table["seeds"].astype(str),
    }
    return pd.DataFrame(text).rename_axis("network").reset_index()
