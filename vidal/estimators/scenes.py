"""Renders scenes with exact depth: rooms and open ground with boxes, balls and flat figures.

The depth estimator is trained on these scenes and on recordings of one real room. From one room alone, a model could not learn what
other places look like.

The depth of a rendered scene is computed with exact formulas for the intersections of rays with planes, boxes and spheres. Each surface
shows a random photograph, a plain colour or stripes, so that the model derives depth from shapes and not from textures (Tremblay et al.
2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vidal.estimators.training_pairs import TrainingPair
from vidal.media.arrays import Float64Array, UInt8Array

WIDTH, HEIGHT = 320, 240  # Pixels.
FAR_M = 60.0
Photographs = Sequence[UInt8Array]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; y points up. origin: (3,), its position in metres. rays: (n, 3), the direction of the ray through each pixel.

    axis: (3,), the direction in which the camera looks. Directions are unit vectors.
    """

    origin: Float64Array
    rays: Float64Array
    axis: Float64Array


@dataclass
class Hits:
    """The nearest surface on each ray so far.

    distance: (n,) along the ray in metres. colour: (n, 3) in [0, 1], without lighting. normal: (n, 3) of the surface.
    """

    distance: Float64Array
    colour: Float64Array
    normal: Float64Array

    def add(self, distance: Float64Array, colour: Float64Array, normal: Float64Array) -> None:
        """Adds a surface, which hides surfaces that are farther away. Its arrays have the shapes of the fields.

        A ray misses the surface if its distance is infinite or at most 0.05 m.
        """
        nearer = (distance > 0.05) & (distance < self.distance)
        self.distance = np.where(nearer, distance, self.distance)
        self.colour = np.where(nearer[:, None], colour, self.colour)
        self.normal = np.where(nearer[:, None], normal, self.normal)


def render_scene(photographs: Photographs, seed: int) -> TrainingPair:
    """Renders a random scene. Returns its picture, (240, 320, 3) uint8, and its inverse depth as the target, (240, 320) float32.

    The depth is measured along the camera's axis. The target is in 1/m, and is 0 for the sky and for depths above FAR_M.
    photographs: the textures, (h, w, 3) uint8 each. seed: fixes the scene.
    """
    rng = np.random.default_rng(seed)
    camera = _camera(rng)
    rays = camera.rays
    hits = Hits(np.full(len(rays), np.inf), _sky(rays, rng), np.zeros_like(rays))
    _floor_and_walls(camera, hits, rng, photographs)
    for _ in range(rng.integers(3, 12)):
        thing = (_box, _ball, _cut_out)[rng.choice(3, p=(0.55, 0.2, 0.25))]
        thing(camera, hits, rng, photographs)
    depth = hits.distance * (rays @ camera.axis)
    inverse = np.where(np.isfinite(depth) & (depth < FAR_M), 1.0 / np.maximum(depth, 0.05), 0.0)
    rgb = (np.clip(_lit(hits, rng), 0, 1) * 255).astype(np.uint8).reshape(HEIGHT, WIDTH, 3)
    return TrainingPair(f"scene-{seed}", rgb, inverse.astype(np.float32).reshape(HEIGHT, WIDTH))


def _camera(rng: np.random.Generator) -> Camera:
    pitch, roll = np.deg2rad(rng.uniform(-35, 12)), np.deg2rad(rng.normal(0, 3))
    half = np.tan(np.deg2rad(rng.uniform(40, 80)) / 2)
    x = np.linspace(-half, half, WIDTH)
    y = np.linspace(half, -half, HEIGHT) * HEIGHT / WIDTH
    gx, gy = np.meshgrid(x, y)
    local = np.stack([gx.ravel(), gy.ravel(), np.ones(gx.size)], 1)
    turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    rotation = tilt @ turn
    rays = local @ rotation.T
    origin = np.array([0, rng.uniform(0.3, 2.5), 0])
    return Camera(origin, rays / np.linalg.norm(rays, axis=1, keepdims=True), rotation[:, 2])


def _texture(u: Float64Array, v: Float64Array, rng: np.random.Generator, photographs: Photographs) -> Float64Array:
    """Returns the colours, (n, 3) in [0, 1], of a random texture at the coordinates u and v, (n,) each.

    A texture from a photograph repeats with a period of 1.
    """
    kind = rng.random()
    if kind < 0.25:
        return np.broadcast_to(rng.uniform(0.05, 0.95, 3), (len(u), 3))
    if kind < 0.4:
        count = rng.integers(2, 10)
        stripes = (np.floor(u * count) + np.floor(v * count) * rng.integers(0, 2)) % 2
        first, second = rng.uniform(0.05, 0.95, (2, 3))
        striped: Float64Array = np.where(stripes[:, None] > 0, first, second)
        return striped
    photograph = photographs[int(rng.integers(len(photographs)))]
    height, width = photograph.shape[:2]
    column = ((u % 1.0) * (width - 1)).astype(int)
    row = ((1.0 - v % 1.0) * (height - 1)).astype(int)
    result: Float64Array = photograph[row, column] / 255.0
    return result


def _sky(rays: Float64Array, rng: np.random.Generator) -> Float64Array:
    top, horizon = rng.uniform(0.3, 1.0, (2, 3))
    height = np.clip(rays[:, 1:2], 0, 1)
    result: Float64Array = horizon * (1 - height) + top * height
    return result


def _floor_and_walls(camera: Camera, hits: Hits, rng: np.random.Generator, photographs: Photographs) -> None:
    tile = rng.uniform(0.5, 5.0)
    _plane(camera, hits, 1, 0.0, tile, rng, photographs)
    if rng.random() < 0.35:
        return  # Open ground.
    for axis, low, high in ((0, -6.0, -1.0), (0, 1.0, 6.0), (2, 2.0, 12.0)):
        if rng.random() < 0.9:
            _plane(camera, hits, axis, rng.uniform(low, high), rng.uniform(1.0, 5.0), rng, photographs)
    if rng.random() < 0.6:
        _plane(camera, hits, 1, camera.origin[1] + rng.uniform(0.5, 2.5), tile, rng, photographs)


def _plane(
    camera: Camera,
    hits: Hits,
    axis: int,
    place: float,
    tile: float,
    rng: np.random.Generator,
    photographs: Photographs,
) -> None:
    """Adds a plane at right angles to an axis of the world.

    axis: 0, 1 or 2 for x, y or z. place: the coordinate of the plane on this axis, in metres. tile: the size of a texture, in metres.
    """
    origin, rays = camera.origin, camera.rays
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (place - origin[axis]) / rays[:, axis]
    distance = np.where(np.isfinite(distance) & (distance < 4 * FAR_M), distance, np.inf)
    points = origin + rays * np.where(np.isfinite(distance), distance, 0.0)[:, None]
    first, second = (other for other in (0, 2, 1) if other != axis)
    normal = np.zeros_like(rays)
    normal[:, axis] = -np.sign(rays[:, axis])
    hits.add(distance, _texture(points[:, first] / tile, points[:, second] / tile, rng, photographs), normal)


def _place(rng: np.random.Generator) -> tuple[float, float]:
    """Returns random x and z coordinates of an object, in metres."""
    far = float(np.exp(rng.uniform(np.log(1.0), np.log(12.0))))
    return float(rng.uniform(-0.6, 0.6)) * far, far


def _box(camera: Camera, hits: Hits, rng: np.random.Generator, photographs: Photographs) -> None:
    """Adds a box that is rotated about the vertical axis. A box is the intersection of three slabs (Kay and Kajiya 1986)."""
    origin, rays = camera.origin, camera.rays
    x, z = _place(rng)
    half = rng.uniform(0.08, 0.7, 3) * (0.5 + z / 6)
    bottom = 0.0 if rng.random() < 0.75 else rng.uniform(0, 1.5)
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    start, local = turn @ (origin - np.array([x, bottom + half[1], z])), rays @ turn.T
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (-half - start) / local, (half - start) / local
    near, far = np.minimum(low, high), np.maximum(low, high)
    enters, leaves = near.max(1), far.min(1)
    face = near.argmax(1)
    met = (enters < leaves) & (enters > 0)
    distance = np.where(met, enters, np.inf)
    points = (start + local * np.where(met, enters, 0.0)[:, None]) / half / 2 + 0.5
    u = np.where(face == 0, points[:, 2], points[:, 0])
    v = np.where(face == 1, points[:, 2], points[:, 1])
    normal = np.zeros_like(rays)
    normal[np.arange(len(rays)), face] = -np.sign(local[np.arange(len(rays)), face])
    hits.add(distance, _texture(u, v, rng, photographs), normal @ turn)


def _ball(camera: Camera, hits: Hits, rng: np.random.Generator, photographs: Photographs) -> None:
    """Adds a ball, which lies on the floor or floats above it."""
    origin, rays = camera.origin, camera.rays
    x, z = _place(rng)
    radius = rng.uniform(0.08, 0.5) * (0.5 + z / 6)
    centre = np.array([x, radius + (0.0 if rng.random() < 0.7 else rng.uniform(0, 1.5)), z])
    towards = centre - origin
    along = rays @ towards
    inside = along**2 - towards @ towards + radius**2
    met = (inside > 0) & (along > 0)
    distance = np.where(met, along - np.sqrt(np.maximum(inside, 0)), np.inf)
    normal = (origin + rays * np.where(met, distance, 0.0)[:, None] - centre) / radius
    u, v = np.arctan2(normal[:, 0], normal[:, 2]) / np.pi, normal[:, 1] / 2 + 0.5
    hits.add(distance, _texture(u, v, rng, photographs), normal)


def _cut_out(camera: Camera, hits: Hits, rng: np.random.Generator, photographs: Photographs) -> None:
    """Adds an upright ellipse or rectangle that faces the camera and represents a person or an animal."""
    origin, rays = camera.origin, camera.rays
    x, z = _place(rng)
    half_width, half_height = rng.uniform(0.15, 0.5) * (0.5 + z / 6), rng.uniform(0.3, 0.9) * (0.5 + z / 6)
    distance = (z - origin[2]) / np.maximum(rays[:, 2], 1e-6)
    points = origin + rays * distance[:, None]
    u, v = (points[:, 0] - x) / half_width, (points[:, 1] - half_height) / half_height
    inside = (u**2 + v**2 < 1) if rng.random() < 0.6 else (np.abs(u) < 1) & (np.abs(v) < 1)
    normal = np.broadcast_to([0.0, 0.0, -1.0], rays.shape)
    met = np.where(inside & (rays[:, 2] > 1e-6), distance, np.inf)
    hits.add(met, _texture(u / 2 + 0.5, v / 2 + 0.5, rng, photographs), normal)


def _lit(hits: Hits, rng: np.random.Generator) -> Float64Array:
    """Returns the colours of the hits, (n, 3), as seen through haze. They are lit by a lamp (by Lambert's law) and by ambient light."""
    light = rng.normal(0, 1, 3)
    light[1] = abs(light[1]) + 0.5
    light /= np.linalg.norm(light)
    ambient = rng.uniform(0.35, 0.8)
    met = np.isfinite(hits.distance)
    shade = np.where(met, ambient + (1 - ambient) * np.maximum(hits.normal @ light, 0), 1.0)
    colour = hits.colour * shade[:, None]
    haze = np.exp(-np.where(met, hits.distance, 0.0) / np.exp(rng.uniform(np.log(20), np.log(300))))[:, None]
    result: Float64Array = colour * haze + rng.uniform(0.6, 1.0, 3) * (1 - haze)
    return result


def render_scenes(photographs: Photographs, count: int) -> list[TrainingPair]:
    """Returns the first `count` scenes that have relief: a model learns nothing from a bare wall in front of the camera."""
    scenes: list[TrainingPair] = []
    seed = 0
    while len(scenes) < count:
        scene = render_scene(photographs, seed)
        low, high = np.percentile(scene.target, (5, 95))
        if high > 1.3 * low:
            scenes.append(scene)
        seed += 1
    return scenes


def read_photographs(folder: Path) -> list[UInt8Array]:
    """Returns the *.jpg files of a folder and its subfolders as textures, (h, w, 3) uint8 of at most 256 pixels a side."""
    pictures: list[UInt8Array] = []
    for path in sorted(folder.rglob("*.jpg")):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
            image.thumbnail((256, 256))
            pictures.append(np.asarray(image))
    return pictures
