"""The registry of exercises: one file per lesson."""

from workbench.course.exercise import Exercise
from workbench.course.exercises import brought, critics, first, flows, language, own, qgf, real, shift, vgf

LESSONS = (first, flows, critics, qgf, vgf, shift, real, own, brought, language)
EXERCISES: dict[str, Exercise] = {exercise.name: exercise for lesson in LESSONS for exercise in lesson.EXERCISES}

__all__ = ["EXERCISES"]
