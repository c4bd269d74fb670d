"""The sign-in form in our words."""

from typing import Any

from allauth.account.forms import LoginForm
from django.utils.translation import gettext_lazy as _


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in (("login", _("E-mail")), ("password", _("Password"))):
            self.fields[name].label = label
            self.fields[name].help_text = ""  # the page has its own link for a forgotten password
            self.fields[name].widget.attrs.pop("placeholder", None)
