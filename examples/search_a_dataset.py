"""Searches the clips of a dataset by words, with an encoder that was trained on it or one that LanguageBind published.

`python examples/search_a_dataset.py manifests/embedded ENCODER "a train"`, after `make train`.
"""

import sys

import vidal


def main(out: str, encoder_folder: str, words: str) -> None:
    encoder = vidal.load_encoder(encoder_folder)
    clips = [clip for clip in vidal.open(out) if clip["frame_paths"]]
    frames = [[f"{out}/{path}" for path in clip["frame_paths"]] for clip in clips]
    scores = encoder.encode_video(frames) @ encoder.encode_text(words)  # Cosines, one for each clip.
    for place in scores.argsort()[::-1][:5]:
        print(f"{scores[place]:.2f}  {clips[place]['clip_id']}  {clips[place]['title']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
