"""PE-AV, Meta's Perception Encoder for sounds and videos, as a peer (an encoder of another project).

PE-AV computes one vector for a sound, called a here, and one for a video, v. For a text it computes two: t_a, to compare with sounds,
and t_v, to compare with videos. An encoder of vidal has only one vector for a text. So PE-AV's unit vectors are joined to longer ones:
text (t_a, t_v, 0), sound (a, 0, a), video (0, v, v). These are then L2-normalised, as in every encoder of vidal. Each score is therefore
half of PE-AV's cosine: t_a a / 2 for a text and a sound, t_v v / 2 for a text and a video, a v / 2 for a sound and a video. Halving does
not change the ranking. But PE-AV's own evaluation may rank differently, because it does not normalise the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import PeAudioVideoModel

from vidal.evaluate.peers.parts import PeerText, part_of
from vidal.evaluate.peers.transformers_models import WEIGHTS, open_model
from vidal.media.arrays import Float32Array
from vidal.train import frames
from vidal.train.loading import Part
from vidal.train.media_reader import MediaReader
from vidal.train.settings import Modality
from vidal.train.towers import ModalityTower


class PeAvReader(MediaReader):
    """Reads sounds with PE-AV's feature extractor, and videos with its processor.

    The processor's settings name the number of frames or their rate; if they name neither, every frame is read.
    """

    items_max = 1  # Arrays differ in length, and those of a model that reads every frame need gigabytes.

    def __init__(self, processor: Any):
        self._extractor, self._processor = processor.feature_extractor, processor.video_processor
        self.sample_rate = int(self._extractor.sampling_rate)

    def sound(self, samples: Float32Array) -> Float32Array:
        """Returns the samples of the whole sound as PE-AV takes them, (1, 1, n) float32."""
        out = self._extractor([samples], sampling_rate=self.sample_rate, return_tensors="pt")
        array: Float32Array = out["input_values"].float().numpy()
        return array

    def choose_frames(self, total: int, fps: float, excerpt: frames.Excerpt | None) -> list[int]:
        if excerpt is not None and excerpt.end_s and fps:
            total = max(1, min(total, int(excerpt.end_s * fps)))
        count, rate = self._processor.num_frames, self._processor.fps
        if count:
            return [int(k * (total - 1) / max(1, count - 1)) for k in range(count)]
        if rate and fps:
            count = min(total, max(1, int(total / fps * rate)))
            return [k * total // count for k in range(count)]
        return list(range(total))

    def video(self, pictures: Sequence[Image.Image]) -> Float32Array:
        """Returns one video as PE-AV takes it, (1, frames, 3, h, w) float32, with normalised colours. pictures: its frames."""
        whole = torch.from_numpy(np.stack([np.asarray(each.convert("RGB")) for each in pictures])).permute(0, 3, 1, 2)
        out = self._processor(videos=[whole], do_sample_frames=False, return_tensors="pt")
        array: Float32Array = out["pixel_values_videos"].float().numpy()
        return array


class _Model(PeAudioVideoModel):  # type: ignore[misc]
    """PE-AV, changed so that transformers 5.23 can load it with timm 1.0.31."""

    # transformers excludes only the buffer pos_embed of timm's rotary position embeddings from the tied
    # weights. This excludes all of their buffers.
    _tied_weights_keys: ClassVar[dict[str, str]] = {
        name.replace(r"\.rope\.pos_embed", r"\.rope\."): other.replace(r"\.rope\.pos_embed", r"\.rope\.")
        for name, other in PeAudioVideoModel._tied_weights_keys.items()
    }


class SoundTower(ModalityTower):
    """The audio side of PE-AV. For a sound with PE-AV's vector a, it returns (a, 0, a); the docstring of the module says why.

    model: a PeAudioVideoModel.
    """

    def __init__(self, model: Any, reader: MediaReader):
        super().__init__((0.0,) * 3, (1.0,) * 3)  # The reader normalises.
        self.model, self.reader = model, reader

    def forward(self, pixels: Tensor) -> Tensor:
        side = self.model.audio_model
        sound = F.normalize(side.audio_head(side.audio_encoder(input_values=pixels).pooler_output), dim=-1)
        return torch.cat([sound, torch.zeros_like(sound), sound], dim=-1)


class VideoTower(SoundTower):
    """The video side of PE-AV. Its vectors are (0, v, v), where v is PE-AV's unit vector of a video; the module's docstring says why."""

    def forward(self, pixels: Tensor) -> Tensor:
        side = self.model.video_model
        video = F.normalize(side.video_head(side.video_encoder(pixel_values_videos=pixels).pooler_output), dim=-1)
        return torch.cat([torch.zeros_like(video), video, video], dim=-1)


def open_part(id_: str, device: torch.device) -> Part:
    """Opens a PE-AV model. id_: a hub id or a folder.

    Raises UserError if the weights are unavailable, incomplete or of a wrong shape, or if the model is of another kind.
    """
    spec, model, processor = open_model("pe_av", id_, device, _Model)

    def embed_texts(texts: list[str]) -> Tensor:
        tokens = processor.tokenizer(texts, padding=True, truncation=True, return_tensors="pt").to(model.device)
        hidden = model.text_model(**tokens, output_hidden_states=True).hidden_states[-1][:, 0]
        sides = [model.audio_model.text_audio_head(hidden), model.video_model.text_video_head(hidden)]
        units = [F.normalize(side, dim=-1) for side in sides]
        return torch.cat([*units, torch.zeros_like(units[0])], dim=-1)

    reader = PeAvReader(processor)
    towers = {Modality.AUDIO: SoundTower(model, reader), Modality.VIDEO: VideoTower(model, reader)}
    return part_of(spec, towers, PeerText(spec, WEIGHTS, embed_texts))
