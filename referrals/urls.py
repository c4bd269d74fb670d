"""Care that others give."""

from django.urls import path

from referrals.views import suggestions

urlpatterns = [
    path("clients/<uuid:pk>/intakes/<uuid:intake>/trials/", suggestions.trials_confirm, name="trials_confirm"),
    path(
        "clients/<uuid:pk>/suggestions/<uuid:suggestion>/",
        suggestions.suggestion,
        name="suggestion",
    ),
]
