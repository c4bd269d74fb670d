"""Every address of Waymark: the only module that knows every app."""

from django.urls import include, path

from practice.views import public

handler400 = "practice.views.trouble.bad_request"
handler403 = "practice.views.trouble.forbidden"
handler404 = "practice.views.trouble.not_found"
handler500 = "practice.views.trouble.server_error"

urlpatterns = [
    # --- anyone
    path("", public.home, name="home"),
    path("help-now/", public.help_now, name="help_now"),
    path("who-sees-this/", public.who_sees_this, name="who_sees_this"),
    path("accessibility/", public.accessibility, name="accessibility"),
    path("leave/", public.leave, name="leave"),
    path("healthz", public.healthz, name="healthz"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("account/devices/", include("allauth.usersessions.urls")),
    # --- the client's side
    path("", include("intake.urls")),
    # --- staff: practice
    # --- staff: chart, alerts, notes
    # --- staff: referrals, plans
    path("", include("referrals.urls")),
]
