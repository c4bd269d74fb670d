from django.apps import AppConfig


class IntakeConfig(AppConfig):
    name = "intake"

    def ready(self) -> None:
        from intake.doors import note_leaving
        from practice.pages import LEAVES

        LEAVES.append(note_leaving)
