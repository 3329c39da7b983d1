"""Any backbone of the library timm (Wightman, PyTorch Image Models), by name: ``timm/NAME``."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import FaceNet, rgb_input
from occkd_lib.models.weights.pretrained import Pretrained, Tensors
from occkd_lib.project import one_line

PREFIX = "timm/"


class TimmNet(FaceNet):
    """timm's network without its classifier, then our head. Embedding: its pooled features.

    name: timm's, after ``timm/``, with or without a tag (``resnet50.a1_in1k``); the tag sets the
    input's mean and standard deviation only. input_size, channels: timm's own by default.
    dropout: between embedding and head. Values are random: nothing is downloaded.

    Raises OcckdError for a name or an input that timm does not know.
    """

    backbone: Any

    def __init__(
        self,
        name: str,
        outputs: int,
        *,
        input_size: int | None = None,
        channels: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        import timm  # seconds: only for who asks for it

        super().__init__()
        self.name = name
        short = name.removeprefix(PREFIX)
        if not timm.is_model(short):
            close = get_close_matches(short, timm.list_models(), n=4, cutoff=0.5)
            hint = f"like it: {', '.join(close)}" if close else "timm.list_models() lists them"
            raise OcckdError(f"timm has no network {short!r}; {hint}")
        try:
            config = timm.get_pretrained_cfg(short, allow_unregistered=False)
            assert config is not None
            own_channels, *_, own_size = config.input_size
            mean, std = (tuple(255 * v for v in values) for values in (config.mean, config.std))
            self.input_spec = rgb_input(input_size or own_size, channels or own_channels, mean, std)
            options: dict[str, Any] = {"in_chans": self.input_spec.channels}
            if config.fixed_input_size:
                options["img_size"] = self.input_spec.size
            self.backbone = timm.create_model(short, pretrained=False, num_classes=0, **options)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            reason = one_line(error, 120)
            raise OcckdError(
                f"timm cannot build {short!r} ({reason}): give a tag that it has, or leave out "
                "input_size and channels"
            ) from None
        classifier = config.classifier or ()
        self.classifiers = (classifier,) if isinstance(classifier, str) else tuple(classifier)
        self.embedding_dim = self.backbone.head_hidden_size
        self.add_head(outputs, dropout)

    def features(self, x: Tensor) -> Tensor:
        return self.backbone(x)

    def read(self, tensors: Tensors) -> Pretrained | None:
        """A state dict of timm's (or of torchvision's, where names agree), less its classifier."""
        own = super().read(tensors)
        if own is not None:
            return own
        classifiers = tuple(f"{layer}." for layer in self.classifiers)
        kept = {f"backbone.{k}": v for k, v in tensors.items() if not k.startswith(classifiers)}
        return Pretrained(kept, f"weights for {self.name}; a classifier in the file is left out")
