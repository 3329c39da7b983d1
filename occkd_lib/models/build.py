"""From a name and options to a network."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import FaceNet
from occkd_lib.models.nets import NETWORKS
from occkd_lib.models.nets.timm_net import PREFIX, TimmNet
from occkd_lib.models.weights.load import initialise
from occkd_lib.plugins import is_import_path, resolve
from occkd_lib.project import one_line

OPTIONS = ("input_size", "channels", "width", "dropout")


def build_model(
    name: str, outputs: int, *, init: str = "random", **options: float | None
) -> FaceNet:
    """A network with ``outputs`` outputs.

    name: one of NETWORKS, "timm/NAME" for a backbone of timm (``timm.list_models()``), or your own
    as "package.module:Name": a subclass of FaceNet, or a function that returns one, called with
    ``outputs`` and the options given. options: some of OPTIONS; None, or left out, takes the
    network's own default. init: "random", a weights file, or the name of one in
    ``weights_root()``; what was loaded stands in ``net.init_record``, see ``initialise``. Random
    values come from torch's global generator: seed it first.

    Raises OcckdError for an unknown network, an option it does not take, or unusable weights.
    """
    given = {option: value for option, value in options.items() if value is not None}
    kind = network_kind(name, given)
    own = is_import_path(name)
    net = own_network(name, kind, outputs, given) if own else kind(outputs, **given)
    initialise(net, init)
    return net


def network_kind(name: str, options: Mapping[str, Any]) -> Callable[..., FaceNet]:
    """What builds the network ``name``; OcckdError if there is none or it lacks an option."""
    kind: Callable[..., FaceNet]
    if name.startswith(PREFIX):
        kind = partial(TimmNet, name)
    else:
        kind = resolve("network", name, {**NETWORKS, f"{PREFIX}NAME": TimmNet})
    if not callable(kind) or (isinstance(kind, type) and not issubclass(kind, FaceNet)):
        raise OcckdError(f"network {name!r} is neither a subclass of FaceNet nor a function")
    parameters = inspect.signature(kind).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for option in options:
        if option not in parameters and not anything:
            names = ", ".join(known for known in OPTIONS if known in parameters) or "none"
            raise OcckdError(f"network {name!r} takes no option {option!r}; it takes: {names}")
    return kind


def own_network(
    name: str, kind: Callable[..., FaceNet], outputs: int, options: Mapping[str, Any]
) -> FaceNet:
    """A user's network, checked: OcckdError for one that cannot be built or lacks a part."""
    try:
        net = kind(outputs, **options)
    except OcckdError:
        raise
    except Exception as error:  # a user's code may raise anything
        reason = f"{type(error).__name__}: {one_line(error, 120)}"
        raise OcckdError(f"network {name!r} cannot be built ({reason})") from error
    if not isinstance(net, FaceNet):
        what = type(net).__name__
        raise OcckdError(f"network {name!r} is a {what}, not a FaceNet: derive it from FaceNet")
    lacks = [part for part in ("input_spec", "embedding_dim", "head") if not hasattr(net, part)]
    if lacks:
        raise OcckdError(f"network {name!r} does not set {', '.join(lacks)}: see FaceNet")
    net.name = getattr(net, "name", name)
    return net
