"""manage.py demo_links: one sign-in link per role of the demo practice, and a link to an intake nobody finished."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone

from intake.models import Invitation
from intake.models.packets import PAGES
from practice.access import Role
from practice.models import RoleGrant


class Command(BaseCommand):
    help = "Print the links of the demo practice (DEMO=1 on this machine only)."

    def handle(self, **options: Any) -> None:
        if not (settings.DEMO and settings.LOOPBACK):
            raise CommandError("Demo links work with DEMO=1 and a loopback ORIGIN only.")
        granted = set(RoleGrant.objects.filter(user__is_demo=True, user__is_active=True).values_list("role", flat=True))
        for role in Role:
            if role.value in granted:
                self.say(role.value, reverse("demo_sign_in", args=[role.value]))
        invitation = self.unfinished()
        if invitation:
            self.say("client", invitation.path)

    def unfinished(self) -> Invitation | None:
        """A demo client's intake that nobody has begun; an expired link is made good again."""
        now = timezone.now()
        invitation = (
            Invitation.objects.filter(client__is_demo=True, state__in=[Invitation.State.SENT, Invitation.State.OPENED])
            .exclude(packet__in=PAGES)
            .order_by("-expires_at")
            .first()
        )
        if invitation and not invitation.is_live(now):
            invitation.renew(now)
            invitation.save(update_fields=["generation", "token_digest", "expires_at"])
        return invitation

    def say(self, role: str, path: str) -> None:
        self.stdout.write(f"  {role:<12} {settings.ORIGIN}{path}")
