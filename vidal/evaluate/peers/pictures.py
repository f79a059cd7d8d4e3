"""Uses the picture models of other projects as towers, to compare them with encoders of vidal.

The vector of a video is the mean of the unit vectors of its frames (Luo et al. 2022, CLIP4Clip). Infrared and depth become pictures
with three equal channels. LanguageBind's tables measure OpenCLIP in this way.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from vidal.train.media_reader import MediaReader
from vidal.train.settings import Modality
from vidal.train.towers import ModalityTower

MODALITIES = (Modality.IMAGE, Modality.VIDEO, Modality.INFRARED, Modality.DEPTH)


class PictureTower(ModalityTower):
    """Encodes one modality with the picture model of another project. All towers of an encoder share the model.

    reader: turns media into arrays. embed: encodes n of these arrays as (n, width).
    """

    def __init__(self, modality: Modality, model: nn.Module, embed: Callable[[Tensor], Tensor], reader: MediaReader):
        super().__init__((0.0,) * 3, (1.0,) * 3)  # The reader normalises.
        self.model, self._embed, self.reader = model, embed, reader
        self._is_video = modality is Modality.VIDEO

    def forward(self, pixels: Tensor) -> Tensor:
        if not self._is_video:
            return self._embed(pixels)
        frames = F.normalize(self._embed(pixels.flatten(0, 1)).float(), dim=-1)
        mean: Tensor = frames.unflatten(0, pixels.shape[:2]).mean(1)
        return mean


def picture_towers(
    model: nn.Module, embed: Callable[[Tensor], Tensor], reader: MediaReader
) -> dict[Modality, ModalityTower]:
    """Returns a tower for each of MODALITIES.

    model: shared by all towers. embed: encodes n arrays of the reader as (n, width).
    """
    return {modality: PictureTower(modality, model, embed, reader) for modality in MODALITIES}
