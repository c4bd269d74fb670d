"""The client side and the therapist side of intake."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
