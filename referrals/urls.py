"""Care that others give."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
