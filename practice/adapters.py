"""How staff sign-in behaves: nobody signs up by themselves, sessions change at each step, secrets are sealed."""

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest

from practice import audit
from practice.sealed import seal, unseal


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> Any:
        request.session.cycle_key()  # a session known before the password is worth nothing after it
        return super().pre_login(request, user, **kwargs)

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> Any:
        audit.record("sign_in", by=user)
        return super().post_login(request, user, **kwargs)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        audit.record("sign_in", by="nobody", outcome="refused")
        super().authentication_failed(request, **credentials)

    def logout(self, request: HttpRequest) -> None:
        if request.user.is_authenticated:
            audit.record("sign_out", by=request.user)
        super().logout(request)

    def get_client_ip(self, request: HttpRequest) -> str:
        return getattr(request, "origin", "") or super().get_client_ip(request)


class MFAAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return base64.b64encode(seal(text.encode(), "mfa")).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(base64.b64decode(encrypted_text), "mfa").decode()

    def can_delete_authenticator(self, authenticator: Any) -> bool:
        """The last second factor stays: staff never go without one."""
        others = type(authenticator).objects.filter(user_id=authenticator.user_id, type__in=["totp", "webauthn"])
        return bool(authenticator.type == "recovery_codes" or others.exclude(pk=authenticator.pk).exists())
