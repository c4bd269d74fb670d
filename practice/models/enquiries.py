from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.models.clients import Client, ClientRecord, RecordQuerySet
from practice.sealed import SealedField, SealedJSON, blind


class PublicPages(models.Model):
    """What anyone may read and ask without being a client: on or off, and the practice's own words on costs (one row).

    What stands on the page besides is in intake/options.toml.
    """

    is_open = models.BooleanField(_("the public pages are open"), default=True)
    starts_open = models.BooleanField(_("people may begin the forms by themselves"), default=False)
    starts_site = models.ForeignKey(
        "practice.Site", on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )  # of their records, until somebody gives them to a therapist
    cost_kap = models.CharField(max_length=240, blank=True, default="")
    cost_infusion = models.CharField(max_length=240, blank=True, default="")
    cost_home = models.CharField(max_length=240, blank=True, default="")
    cost_hospital = models.CharField(max_length=240, blank=True, default="")
    version = models.PositiveIntegerField(default=1)

    objects: ClassVar[models.Manager[PublicPages]] = models.Manager()

    class Privacy:
        plain = [
            "id",
            "is_open",
            "starts_open",
            "starts_site",
            "cost_kap",
            "cost_infusion",
            "cost_home",
            "cost_hospital",
            "version",
        ]

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="public_pages_one_row")]

    def __str__(self) -> str:
        return "open" if self.is_open else "closed"

    @classmethod
    def get(cls) -> PublicPages:
        """The row; the defaults while nobody has written one, for looking at a page writes nothing."""
        return cls.objects.select_related("starts_site").filter(pk=1).first() or cls(pk=1)


class EnquiryQuerySet(RecordQuerySet):
    def waiting(self) -> EnquiryQuerySet:
        return self.filter(state=Enquiry.State.WAITING)

    def alike(self, enquiry: Enquiry) -> EnquiryQuerySet:
        """Others with the same e-mail or phone, by their keyed index."""
        return self.exclude(pk=enquiry.pk).filter(enquiry.same())


class Enquiry(ClientRecord):
    """Somebody asks to be contacted who is not known as a client. It is in a client's record once it is known whose."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waits for an answer")
        INVITED = "invited", _("Became a client")
        KNOWN = "known", _("From somebody who is a client")
        DECLINED = "declined", _("Answered, no client")

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="enquiries", null=True, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    at = models.DateTimeField()
    answer_by = models.DateTimeField()  # as they were told
    language = models.CharField(max_length=8, default="en")
    name = SealedField()
    email = SealedField()
    phone = SealedField()
    reach = SealedJSON()  # as Client.reach: the ways that they said are safe, and what to know before a call
    about = SealedField()
    email_index = models.CharField(max_length=32, blank=True, default="", db_index=True)
    phone_index = models.CharField(max_length=32, blank=True, default="", db_index=True)
    origin_index = models.CharField(max_length=32, blank=True, default="")  # keyed digest of the address it came from
    words = SealedField()  # what was done about it
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects: ClassVar[Any] = EnquiryQuerySet.as_manager()
    if TYPE_CHECKING:
        client_id: Any

    class Privacy:
        identifying = ["name", "email", "phone", "reach", "email_index", "phone_index", "origin_index"]
        clinical = ["about", "words"]
        plain = ["id", "client", "state", "at", "answer_by", "language", "answered_at", "answered_by"]

    class Meta:
        indexes = [
            models.Index(fields=["state", "at", "id"], name="enquiry_queue"),
            models.Index(fields=["at", "origin_index"], name="enquiry_origin"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="waiting", answered_at=None, answered_by=None)
                | Q(~Q(state="waiting"), answered_at__isnull=False, answered_by__isnull=False),
                name="enquiry_answered_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["invited", "known"], client__isnull=False)
                | Q(state__in=["waiting", "declined"], client=None),
                name="enquiry_of_a_client_when_known",
            ),
        ]

    def __str__(self) -> str:
        return str(self.State(self.state).label)

    def set_contact(self, *, email: str, phone: str) -> None:
        """Set the sealed addresses together with their indexes. Does not save."""
        self.email, self.phone = email, phone
        self.email_index = blind("email", email) if email else ""
        self.phone_index = blind("phone", phone) if phone else ""

    def same(self) -> Q:
        """The same e-mail or phone, of a client or of another enquiry."""
        found = Q(pk__in=[])
        if self.email_index:
            found |= Q(email_index=self.email_index)
        if self.phone_index:
            found |= Q(phone_index=self.phone_index)
        return found
