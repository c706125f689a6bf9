"""Sessions of jobs whose course is written as a Python generator.

Every `yield` is a place to stop, some tenths of a second apart: there the others have their turn,
and whoever cancelled is let go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inference.jobs import Progress
from inference.model import JobId, Result, Session, SessionEvent

Course = Iterator[Progress | Result]


class Courses(Session):
    """Advances each job's course in turn; its last event is the `Result`."""

    def __init__(self, courses: Mapping[JobId, Course]) -> None:
        self._courses = dict(courses)

    @property
    def jobs(self) -> frozenset[JobId]:
        return frozenset(self._courses)

    def cancel(self, job: JobId) -> None:
        self._courses.pop(job, None)

    def step(self) -> Sequence[SessionEvent]:
        events: list[SessionEvent] = []
        for job, course in list(self._courses.items()):
            event = next(course)
            if isinstance(event, Result):
                del self._courses[job]
            events.append((job, event))
        return events
