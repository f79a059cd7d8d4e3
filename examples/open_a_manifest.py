"""Opens a dataset with pandas: its clips, the texts of one clip, its pictures, and what became of everything else.

`python examples/open_a_manifest.py manifests/embedded`, after `make build-shard N=0`.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image


def main(out: Path) -> None:
    clips = pd.read_parquet(out)  # Every shard; names that begin with _ are not rows.
    print(clips[["kind", "title", "similarity", "duration_s"]].to_string(max_rows=10))

    clip = clips[clips.depth_paths.str.len() > 0].iloc[0]  # A sound has no frames.
    print(f"\nThe texts of clip {clip.clip_id}:")
    for caption in clip.captions:
        frame = "" if pd.isna(caption["frame"]) else int(caption["frame"])
        print(f"  {caption['view']} {frame}: {caption['text']} ({caption['model']})")

    # Frame k, depth k and infrared k show the same moment. Paths are relative to the dataset.
    columns = [clip.frame_paths, clip.depth_paths, clip.infrared_paths]
    frame, depth, infrared = (np.asarray(Image.open(out / paths[0])) for paths in columns)
    print(f"\nFrame 0 at {clip.frame_times_s[0]:.2f} s: {frame.shape}, infrared {infrared.shape}")
    print(f"depth {depth.shape} {depth.dtype} from {depth.min()} to {depth.max()}, {clip.depth_kind}")

    ledger = pd.read_parquet(out / "_ledger")
    print("\nWhat became of every candidate, clip and view:")
    print(ledger.groupby(["subject", "stage", "status", "reason"]).size().to_string())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
