"""Care that others give."""

from .courses import Course, CourseSession
from .suggestions import Suggestion

__all__ = ["Course", "CourseSession", "Suggestion"]
