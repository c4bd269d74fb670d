"""Misconfiguration, said before it hurts. Each check has an id and a hint."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from practice.keys import PURPOSES


@register()
def settings_make_sense(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    missing = [purpose for purpose in PURPOSES if purpose not in settings.KEY_RING.keys]
    if missing:
        found.append(
            Error(
                f"The key ring lacks: {', '.join(missing)}.",
                hint="Run `manage.py keys create` on a new installation; restore the ring on an old one.",
                id="practice.E001",
            )
        )
    if not settings.HTTPS and not settings.LOOPBACK:
        found.append(
            Error("ORIGIN is plain http on a public name.", hint="Set ORIGIN to an https address.", id="practice.E002")
        )
    if settings.DEMO and not settings.LOOPBACK:
        found.append(
            Error(
                "DEMO opens sign-in links and works on a loopback ORIGIN only.", hint="Unset DEMO.", id="practice.E003"
            )
        )
    if settings.EMAIL_BACKEND.endswith("filebased.EmailBackend") and not settings.LOOPBACK:
        found.append(Warning("Mail is written to files.", hint="Set EMAIL_URL.", id="practice.W001"))
    if settings.SMS_GATEWAY.endswith("FileGateway") and not settings.LOOPBACK:
        found.append(Warning("Text messages are written to files.", hint="Set SMS_GATEWAY.", id="practice.W002"))
    if settings.BACKUP_TO or settings.BACKUP_RECIPIENTS:
        found += _backups()
    return found


def _backups() -> list[CheckMessage]:
    from practice.backups import BackupTrouble, recipients  # needs the models, which are not there yet when this loads

    try:
        recipients()
    except BackupTrouble as trouble:
        hint = "Set BACKUP_RECIPIENTS to public keys made by age-keygen."
        return [Error(str(trouble), hint=hint, id="practice.E004")]
    return []
