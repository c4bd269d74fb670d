"""Care that others give."""

from django.urls import path

from referrals.views import disclosures, permissions, releases, suggestions

urlpatterns = [
    path("clients/<uuid:pk>/intakes/<uuid:intake>/trials/", suggestions.trials_confirm, name="trials_confirm"),
    path(
        "clients/<uuid:pk>/suggestions/<uuid:suggestion>/",
        suggestions.suggestion,
        name="suggestion",
    ),
    # --- releases of information
    path("clients/<uuid:pk>/permissions/", releases.releases, name="releases"),
    path("clients/<uuid:pk>/permissions/new/", releases.release_new, name="release_new"),
    path("clients/<uuid:pk>/permissions/<uuid:release>/sign/", releases.release_sign, name="release_sign"),
    path("clients/<uuid:pk>/permissions/<uuid:release>/tell/", releases.release_tell, name="release_tell"),
    path("clients/<uuid:pk>/permissions/<uuid:release>/take-back/", releases.release_revoke, name="release_revoke"),
    path("clients/<uuid:pk>/permissions/<uuid:release>/seen/", releases.release_seen, name="release_seen"),
    path("clients/<uuid:pk>/permissions/<uuid:release>/copy/", releases.release_copy, name="release_copy"),
    path("releases/<uuid:release>/", releases.release_open, name="release_open"),
    path("practice/disclosures/", disclosures.disclosures, name="disclosures"),
    path("my/permissions/", permissions.my_permissions, name="my_permissions"),
    path("my/permissions/<uuid:release>/", permissions.my_release, name="my_release"),
    path("my/permissions/<uuid:release>/copy/", permissions.my_release_copy, name="my_release_copy"),
    path("my/shared/", permissions.my_shared, name="my_shared"),
]
