"""How staff sign-in behaves: nobody signs up by themselves, sessions change at each step, secrets are sealed."""

import base64
import re
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import base36_to_int
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, notices
from practice.models import KeptForm, User
from practice.sealed import seal, unseal

WRONG_CODE = _("This code does not fit. Write the one that your app shows now.")


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("This e-mail and password do not go together. Check both."),
        "incorrect_code": WRONG_CODE,
        "incorrect_password": _("This is not your password. Check it and try again."),
        "too_many_login_attempts": _("There were too many tries. Wait five minutes, then try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> Any:
        request.session.cycle_key()  # a session known before the password is worth nothing after it
        return super().pre_login(request, user, **kwargs)

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> Any:
        audit.record("sign_in", by=user)
        response = super().post_login(request, user, **kwargs)
        return redirect("kept") if KeptForm.objects.filter(user=user).exists() else response

    def is_reauthentication_required(self, *, app: str) -> bool:
        """Not for somebody who signed in a moment ago: it would ask the same twice."""
        started = self.request.session.get("started", 0)
        return bool(timezone.now().timestamp() - started > settings.ACCOUNT_REAUTHENTICATION_TIMEOUT)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """The page that follows says what happened; only what went wrong is said above it."""
        if kwargs.get("message"):
            super().add_message(*args, **kwargs)

    def get_reset_password_from_key_url(self, key: str) -> str:
        user, _, token = key.partition("-")
        return notices.link(reverse("account_reset_password_from_key", args=[user, token]))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Through the outbox: no request waits for a mail server, and a failed mail is seen and sent again."""
        mail = self.render_mail(template_prefix, email, context)
        if user := User.objects.filter(email__iexact=email, is_active=True).first():
            notices.tell_staff(user, "account", subject=mail.subject, body=mail.body)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        audit.record("sign_in", by="nobody", outcome="refused")
        super().authentication_failed(request, **credentials)

    def logout(self, request: HttpRequest) -> None:
        if request.user.is_authenticated:
            audit.record("sign_out", by=request.user)
        super().logout(request)

    def get_client_ip(self, request: HttpRequest) -> str:
        return getattr(request, "origin", "") or super().get_client_ip(request)


class ResetTokens(PasswordResetTokenGenerator):
    """Links that set a password: 72 hours for somebody's first one, half an hour for a new one."""

    NEW_S = 30 * 60

    def check_token(self, user: Any, token: str | None) -> bool:
        if not super().check_token(user, token):  # its own limit is PASSWORD_RESET_TIMEOUT, 72 hours
            return False
        age_s = self._num_seconds(self._now()) - base36_to_int(str(token).partition("-")[0])
        return not user.has_usable_password() or age_s <= self.NEW_S


def password_link(user: User) -> str:
    """The link with which a new member of staff sets their first password."""
    from allauth.account.utils import user_pk_to_url_str

    return notices.link(
        reverse("account_reset_password_from_key", args=[user_pk_to_url_str(user), ResetTokens().make_token(user)])
    )


class MFAAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": WRONG_CODE}

    def encrypt(self, text: str) -> str:
        return base64.b64encode(seal(text.encode(), "mfa")).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(base64.b64decode(encrypted_text), "mfa").decode()

    def build_totp_svg(self, url: str) -> str:
        """The QR code as an element of the page (no data: address needed), named for those who cannot see it."""
        drawn = super().build_totp_svg(url)
        box, path = (re.search(rf'\b{name}="([^"]*)"', drawn) for name in ("viewBox", "d"))
        if box is None or path is None:
            raise ValueError("The QR code was drawn in a way we do not know.")
        label = gettext("QR code to scan with an authenticator app")
        return format_html('<svg role="img" aria-label="{}" viewBox="{}"><path d="{}"/></svg>', label, box[1], path[1])

    def can_delete_authenticator(self, authenticator: Any) -> bool:
        """The last second factor stays: staff never go without one."""
        others = type(authenticator).objects.filter(user_id=authenticator.user_id, type__in=["totp", "webauthn"])
        return bool(authenticator.type == "recovery_codes" or others.exclude(pk=authenticator.pk).exists())
