from django.apps import AppConfig


class PracticeConfig(AppConfig):
    name = "practice"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from practice import celery, checks, instruments  # noqa: F401  registers the Celery app and the system checks
        from practice.clinical import instrument

        instrument.bring(instruments.find)
