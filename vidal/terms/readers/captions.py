"""Readers of captions, which are sentences about a picture, a video or a sound. Repetitions are kept, and counted later."""

from __future__ import annotations

from collections.abc import Iterator

from vidal.terms.readers.files import extension
from vidal.terms.readers.formats import fields, strings
from vidal.terms.settings import Corpus


def msrvtt(corpus: Corpus) -> Iterator[str]:
    """Reads sentences[].caption of train_val_videodatainfo.json, or the column `sentence` of a split's CSV. Xu et al. 2016."""
    if extension(corpus) == ".json":
        yield from strings(corpus, "sentences.item.caption")
    else:
        yield from fields(corpus, "sentence")


def coco_captions(corpus: Corpus) -> Iterator[str]:
    """Reads annotations[].caption of captions_train2017.json. Chen et al. 2015."""
    yield from strings(corpus, "annotations.item.caption")


def audiocaps(corpus: Corpus) -> Iterator[str]:
    """Reads `caption` of train.csv (audiocap_id,youtube_id,start_time,caption). Kim et al. 2019."""
    yield from fields(corpus, "caption")


def clotho(corpus: Corpus) -> Iterator[str]:
    """Reads `caption_1` to `caption_5` of clotho_captions_development.csv. Drossos et al. 2020."""
    yield from fields(corpus, *(f"caption_{number}" for number in range(1, 6)))


def wavcaps(corpus: Corpus) -> Iterator[str]:
    """Reads data[].caption of one JSON file of WavCaps, such as sb_final.json. Mei et al. 2023."""
    yield from strings(corpus, "data.item.caption")
