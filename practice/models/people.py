from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from practice.access import Permission, Role, granted

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    def with_role(self, role: Role) -> models.QuerySet[User]:
        return self.filter(is_active=True, role_grants__role=role)


class User(AbstractBaseUser):
    """A member of staff. Clients have no accounts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=80)
    licence = models.CharField(_("licence"), max_length=80, blank=True, default="")
    phone = models.CharField(_("phone for urgent text messages"), max_length=32, blank=True, default="")
    sites: models.ManyToManyField[Any, Any] = models.ManyToManyField("practice.Site", blank=True, related_name="staff")
    supervisor = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="team")
    backup = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="backs_up")
    most_clients = models.PositiveSmallIntegerField(_("as many clients as they take"), null=True, blank=True)
    is_active = models.BooleanField(default=True)
    left_at = models.DateTimeField(null=True, blank=True)
    theme = models.CharField(
        max_length=5,
        choices=[("", _("As my device")), ("light", _("Light")), ("dark", _("Dark"))],
        blank=True,
        default="",
    )
    keys_on = models.BooleanField(_("single-key shortcuts"), default=True)
    is_demo = models.BooleanField(default=False)

    objects: ClassVar[UserManager] = UserManager()
    if TYPE_CHECKING:
        role_grants: RelatedManager[RoleGrant]

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Privacy:
        plain = [
            "id",
            "email",
            "name",
            "licence",
            "phone",
            "supervisor",
            "backup",
            "most_clients",
            "is_active",
            "left_at",
            "theme",
            "keys_on",
            "is_demo",
            "password",
            "last_login",
        ]

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def roles(self) -> set[str]:
        return {grant.role for grant in self.role_grants.all()}

    @cached_property
    def permissions(self) -> set[Permission]:
        return granted(self.roles) if self.is_active else set()

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def first_name(self) -> str:
        return self.name.split()[0] if self.name else ""


class RoleGrant(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_grants")
    role = models.CharField(max_length=16, choices=Role.choices)

    class Privacy:
        plain = ["id", "user", "role"]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="role_granted_once")]

    def __str__(self) -> str:
        return self.get_role_display()


class CoverageShift(models.Model):
    """A weekly stretch in which somebody is on call for urgent items, in the practice's wall-clock time.

    `ends` may be earlier than `starts`: the shift then runs past midnight.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="shifts")
    weekday = models.PositiveSmallIntegerField(
        choices=[
            (i, d)
            for i, d in enumerate(
                [_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday")]
            )
        ]
    )
    starts = models.TimeField()
    ends = models.TimeField()

    class Privacy:
        plain = ["id", "user", "weekday", "starts", "ends"]

    class Meta:
        ordering = ["weekday", "starts"]
        constraints = [
            models.CheckConstraint(condition=models.Q(weekday__lte=6), name="coverage_weekday"),
            models.CheckConstraint(condition=~models.Q(starts=models.F("ends")), name="coverage_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.starts:%H:%M} to {self.ends:%H:%M}"

    def covers(self, local: datetime) -> bool:
        """Whether this shift covers a moment given in the practice's wall-clock time."""
        day, clock = local.weekday(), local.time().replace(tzinfo=None)
        if self.starts < self.ends:
            return day == self.weekday and self.starts <= clock < self.ends
        return (day == self.weekday and clock >= self.starts) or (day == (self.weekday + 1) % 7 and clock < self.ends)
