from django.apps import AppConfig


class IntakeConfig(AppConfig):
    name = "intake"

    def ready(self) -> None:
        from intake.actions import home_link
        from intake.doors import note_leaving
        from practice.notices import HOME_LINK
        from practice.pages import LEAVES

        LEAVES.append(note_leaving)
        HOME_LINK.append(home_link)
