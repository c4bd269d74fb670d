"""The forms of sign-in in our words."""

from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm, ResetPasswordKeyForm
from django.contrib.auth.password_validation import password_validators_help_texts
from django.utils.translation import gettext_lazy as _


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in (("login", _("E-mail")), ("password", _("Password"))):
            self.fields[name].label = label
            self.fields[name].help_text = ""  # the page has its own link for a forgotten password
            self.fields[name].widget.attrs.pop("placeholder", None)


PASSWORDS = {
    "oldpassword": _("Your password now"),
    "password1": _("New password"),
    "password2": _("The same again"),
}


def _in_words(form: Any) -> None:
    """What a password must be as plain sentences; allauth gives a list in HTML, which a hint shows as it stands."""
    for name, label in PASSWORDS.items():
        if name in form.fields:
            form.fields[name].label = label
            form.fields[name].help_text = " ".join(password_validators_help_texts()) if name == "password1" else ""
            form.fields[name].widget.attrs.pop("placeholder", None)


class FirstPasswordForm(ResetPasswordKeyForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _in_words(self)


class NewPasswordForm(ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _in_words(self)
