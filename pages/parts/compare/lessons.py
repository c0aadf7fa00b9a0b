"""Lessons on photos for the teaching pages, and the cache of their drawings.

Lessons take up to about 100 MB, so only a few are cached. Their drawings take a few hundred
kilobytes and are cached separately, so that stepping through a lesson does not need the lesson.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

import rustseg_jax as rs
from pages.parts.compare.true_masks import Marked, keep_scene, true_mask
from pages.server.line import once, turn
from pages.shared import models
from pages.shared.cases import ChosenPhoto, keep_upload, photos_folder
from rustseg_jax import images
from rustseg_jax.drawing.encode import png
from rustseg_jax.images.resample import shrink_mask
from rustseg_jax.metrics.faithfulness import Road
from rustseg_jax.refine import working_shape
from rustseg_jax.teaching.alternatives import faithfulness
from rustseg_jax.teaching.choice import Choice, refine_as
from rustseg_jax.teaching.figure import figure_bytes
from rustseg_jax.teaching.lesson import Lesson, teach
from rustseg_jax.teaching.network import look_inside
from rustseg_jax.teaching.tour import SCENES, tour_scene

LESSON_SIDE = 2048
"""Larger photos are reduced to this many pixels on the longer side for a lesson."""

LESSONS, DRAWN, ROADS = 4, 64, 256  # how many of each are cached

T = TypeVar("T")


@dataclass(frozen=True)
class Subject:
    """The subject of a lesson.

    Attributes
    ----------
    case : the photo
    choice : the options of the method
    weights : name of the weights, "" for the shipped ones
    marked : an expert's mask to use as the true mask, if there is one that this visitor may see
    """

    case: ChosenPhoto
    choice: Choice = field(default_factory=Choice)
    weights: str = ""
    marked: Marked | None = None

    def key(self) -> tuple[str, str, Choice, str]:
        """Return the cache key: everything that affects the lesson."""
        truth = self.marked.id if self.marked else ""
        return self.case.digest, self.model.digest, self.choice, truth

    @property
    def model(self) -> rs.Classifier:
        """The model with these weights; raises `WeightsError`."""
        return models.named_model(self.weights)


def tour_case(name: str) -> ChosenPhoto:
    """Return a rendered scene of the tour as a case, stored like an upload so that links work."""
    data = once("scene", (name,), lambda: _scene(name), size=len(SCENES))
    digest = keep_upload(SCENES[name], data)
    return ChosenPhoto(SCENES[name], name, photos_folder() / digest, digest)


def _scene(name: str) -> bytes:
    scene = tour_scene(name)
    data = png(scene.image)
    if scene.corroded:
        keep_scene(data, scene.mask)
    return data


def lesson(subject: Subject) -> Lesson:
    """Compute the lesson of a photo; cached by photo, weights and options.

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used, or the queue is full.
    """
    chosen, model = subject.choice, subject.model
    # If only threshold or CRF differ, the output of the network can be reused.
    base = None if chosen == chosen.seen else lesson(replace(subject, choice=chosen.seen))

    def work() -> Lesson:
        true = true_mask(subject.case, subject.marked)
        if true is not None:
            true = shrink_mask(true, working_shape((true.shape[0], true.shape[1]), LESSON_SIDE))
        if base:
            return teach(refine_as(chosen, base.seg), model, true=true, inside=base.inside)
        photo = _at_most(images.read(subject.case.path.read_bytes()), LESSON_SIDE)
        seg = rs.segment(photo, model, chosen.config())
        inside = look_inside(seg, model)
        # The channels to show are copies; all activations together take 25 MB.
        inside = replace(inside, output=inside.output._replace(blocks=()))
        return teach(seg, model, true=true, inside=inside)

    return once("lesson", subject.key(), work, size=LESSONS)


def _at_most(photo: np.ndarray, side: int) -> np.ndarray:
    shape = working_shape((photo.shape[0], photo.shape[1]), side)
    return photo if photo.shape[:2] == shape else images.resize(photo, shape)


def of_lesson(subject: Subject, draw: Callable[..., T], *arguments: Any) -> T:
    """Return the output of a function of a lesson; cached separately from the lesson.

    Parameters
    ----------
    subject : subject of the lesson
    draw : called as ``draw(lesson, *arguments)``; its output must be small and is never changed
    arguments : plain values
    """
    key = *subject.key(), f"{draw.__module__}.{draw.__qualname__}", *arguments
    return once("drawn", key, lambda: draw(lesson(subject), *arguments), size=DRAWN)


def faithful(subject: Subject) -> Road:
    """Measure the faithfulness of the heat map of a photo; runs the network eight times."""

    def work() -> Road:
        taken = lesson(subject)
        return faithfulness(taken.inside, subject.model, taken.seg.heatmap)

    return once("faithful", subject.key(), work, size=ROADS)


def figure_file(subject: Subject, title: str, form: str) -> bytes:
    """Return all steps of a photo as one figure, a PNG or PDF file."""
    taken = lesson(subject)
    with turn():
        return figure_bytes(taken, title=title, form=form)
