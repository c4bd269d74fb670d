from django.apps import AppConfig


class KapConfig(AppConfig):
    name = "practice.kap"
    label = "kap"
