"""The SFE edit in plain PyTorch: a picture in, an edited picture out.

Source: SFE (arXiv:2406.10601), sections 3.2 and 3.3.
"""

# pyright: reportMissingImports=false

from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812 (Its name everywhere.)
from torch import Tensor

from benchmarks.torch_reference.encoders import E4e, Fuser, Inverter
from benchmarks.torch_reference.stylegan2 import Generator


@dataclass(frozen=True)
class Sfe:
    """The four networks of an edit."""

    generator: Generator
    inverter: Inverter
    feature_editor: Fuser
    e4e: E4e
    input_size: int = 256  # Pixels a side that the encoders read.

    def feature(self, ws: Tensor) -> Tensor:
        """The generator's feature of codes [N, L, W], at a quarter of the encoders' input."""
        resolution = self.input_size // 4
        return self.generator.synthesis(ws, stop_at=resolution).features[resolution]

    def edit(self, images: Tensor, shift: Tensor, strength: float) -> Tensor:
        """Inverts and edits.

        Args:
            images: [N, 3, R, R] in [-1, 1].
            shift: [L, W], what the edit adds to codes per unit of strength.
            strength: Of the edit.

        Returns:
            [N, 3, R, R].
        """
        # Inversion.
        pictures = F.interpolate(images, size=(self.input_size,) * 2, mode="bilinear")
        ws, predicted = self.inverter.backbone(pictures)
        fused = self.inverter.fuser(predicted, self.feature(ws))

        # What the edit changes in e4e's feature: the original minus the edited one.
        ws_e4e = self.e4e(pictures)
        delta = self.feature(ws_e4e) - self.feature(ws_e4e + strength * shift)

        # The edited feature under the edited codes.
        edited = self.feature_editor(fused, delta)
        replace = {self.input_size // 4: edited}
        return self.generator.synthesis(ws + strength * shift, replace=replace).image
