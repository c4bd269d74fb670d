"""Password hashing and rules."""

from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


class Argon2(Argon2PasswordHasher):
    """The OWASP profile of 46 MiB, one pass: Django's default of 100 MiB and 8 lanes stalls a small machine."""

    time_cost = 1
    memory_cost = 47104
    parallelism = 1


class NotThePracticeName:
    """A password may not hold the practice's name, the first guess of anyone who knows where you work."""

    def validate(self, password: str, user: Any = None) -> None:
        from practice.models import Practice

        words = [word for word in Practice.get().name.casefold().split() if len(word) > 3]
        if any(word in password.casefold() for word in words):
            raise ValidationError(self.get_help_text())

    def get_help_text(self) -> str:
        return _("Use words other than the practice's name.")
