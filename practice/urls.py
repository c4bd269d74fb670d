"""Every address of Waymark: the only module that knows every app."""

from allauth.account.urls import urlpatterns as allauth_urls
from django.urls import include, path

from intake.models import Part
from intake.views import (
    home,
    inviting,
    measures,
    medicines,
    messages,
    my_answers,
    my_measures,
    my_medicines,
    my_messages,
    my_people,
    my_record,
    my_safety_plan,
    reading,
    trusted_people,
)
from practice.kap.views import my_cover, my_plan, plans, trend
from practice.views import (
    access_report,
    account,
    activity,
    alerts,
    audit_log,
    break_glass,
    caseload,
    chart,
    clients,
    copies,
    coverage,
    demo,
    discharge,
    imports,
    keeping,
    mail_stop,
    merging,
    moving,
    notes,
    notices,
    people,
    public,
    rules,
    safety_plan,
    search,
    sees,
    settings,
    system,
    tasks,
)
from referrals.views import courses, decisions, my_referral, permissions, referrals, releases, suggestions, trusted_page

handler400 = "practice.views.trouble.bad_request"
handler403 = "practice.views.trouble.forbidden"
handler404 = "practice.views.trouble.not_found"
handler500 = "practice.views.trouble.server_error"

# The parts of the chart, in order; each says in which column it stands.
PANELS = (
    alerts.panel,
    suggestions.panel,
    trend.panel,
    plans.panel,
    reading.panel,
    activity.todo,
    decisions.panel,
    referrals.panel,
    courses.panel,
    reading.agreements_panel,
    releases.panel,
    medicines.panel,
    measures.panel,
    inviting.panel,
    trusted_people.panel,
    messages.panel,
    notes.panel,
    activity.panel,
    copies.panel,
)

# The lines of a client's own page, in order.
HOME_LINES = (
    home.forms_line,
    my_messages.line,
    my_measures.line,
    my_cover.line,
    my_plan.line,
    my_referral.line,
    my_safety_plan.line,
    my_medicines.line,
    my_answers.line,
    permissions.waiting_line,
    permissions.line,
    my_people.line,
    home.copies_line,
    my_record.line,
)

# What each part that a client may share with a trusted person shows.
PERSON_PARTS = {
    Part.PLAN: my_plan.for_person,
    Part.REFERRAL: my_referral.for_person,
    Part.SAFETY_PLAN: my_safety_plan.for_person,
    Part.RIDES: my_plan.rides_for_person,
    Part.ANSWERS: my_answers.answers_for_person,
    Part.SCORES: my_answers.scores_for_person,
}

# Where flags are told and passwords are reset is for an admin to change (people), not for a browser left open.
SIGN_IN = [page for page in allauth_urls if page.name not in ("account_email", "account_confirm_email")]

urlpatterns = [
    # --- anyone
    path("", public.home, name="home"),
    path("help-now/", public.help_now, name="help_now"),
    path("who-sees-this/", public.who_sees_this, name="who_sees_this"),
    path("accessibility/", public.accessibility, name="accessibility"),
    path("m/<str:token>/", mail_stop.mail_stop, name="mail_stop"),
    path("leave/", public.leave, name="leave"),
    path("healthz", public.healthz, name="healthz"),
    path("account/", include(SIGN_IN)),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("account/devices/", include("allauth.usersessions.urls")),
    # --- the client's side
    path("my/home/", home.my_home, {"lines": HOME_LINES}, name="my_home"),
    path("with/part/<slug:part>/", trusted_page.person_part, {"parts": PERSON_PARTS}, name="person_part"),
    path("", include("intake.urls")),
    # --- staff: practice
    path("caseload/", caseload.caseload, name="caseload"),
    path("tasks/", tasks.tasks, name="tasks"),
    path("search/", search.search, name="search"),
    path("clients/<uuid:pk>/edit/", clients.client_edit, name="client_edit"),
    path("account/", account.account, name="account"),
    path("kept/", account.kept, name="kept"),
    path("kept/<uuid:pk>/discard/", account.kept_discard, name="kept_discard"),
    path("practice/", settings.practice_settings, name="practice_settings"),
    path("practice/edit/", settings.practice_edit, name="practice_edit"),
    path("practice/coverage/", coverage.coverage, name="coverage"),
    path("practice/coverage/<int:pk>/remove/", coverage.coverage_remove, name="coverage_remove"),
    path("practice/move/", moving.clients_move, name="clients_move"),
    path("practice/duplicates/", merging.merges, name="merges"),
    path("practice/duplicates/<uuid:pk>/<uuid:other>/", merging.merge, name="merge"),
    path("practice/duplicates/undo/<uuid:pk>/", merging.merge_undo, name="merge_undo"),
    path("practice/people/", people.people, name="people"),
    path("practice/people/new/", people.person_new, name="person_new"),
    path("practice/people/<uuid:pk>/", people.person_edit, name="person_edit"),
    path("practice/people/<uuid:pk>/invite/", people.person_invite, name="person_invite"),
    path("practice/people/<uuid:pk>/factor/", people.person_factor, name="person_factor"),
    path("practice/people/<uuid:pk>/leave/", people.person_leave, name="person_leave"),
    path("practice/people/<uuid:pk>/sees/", sees.person_sees, name="person_sees"),
    path("practice/import/", imports.clients_import, name="clients_import"),
    path("practice/import/<uuid:pk>/", imports.client_import, name="client_import"),
    path("practice/clinical/", system.clinical_sign, name="clinical_sign"),
    path("practice/drill/", system.drill, name="drill"),
    path("practice/system/", system.system_state, name="system_state"),
    path("practice/system/jobs/<uuid:pk>/again/", system.job_again, name="job_again"),
    path("practice/audit/", audit_log.audit_log, name="audit_log"),
    path("practice/break-glass/", break_glass.emergency_list, name="emergency_list"),
    path("practice/break-glass/<uuid:access>/", break_glass.emergency, name="emergency"),
    path("practice/data/", keeping.practice_data, name="practice_data"),
    path("practice/data/<uuid:pk>/", keeping.client_keeping, name="client_keeping"),
    path("practice/export/", copies.practice_export, name="practice_export"),
    path("exports/<uuid:export>/", copies.export_file, name="export_file"),
    path("copies/", copies.record_copies, name="record_copies"),
    path("clients/<uuid:pk>/copy/", copies.record_copy, name="record_copy"),
    path("clients/<uuid:pk>/copy/make/", copies.record_copy_make, name="record_copy_make"),
    path("demo/<slug:role>/", demo.demo_sign_in, name="demo_sign_in"),
    # --- staff: chart, alerts, notes
    path("clients/<uuid:pk>/", chart.page, {"panels": PANELS}, name="chart"),
    path("clients/<uuid:pk>/access/", access_report.client_access, name="client_access"),
    path("clients/<uuid:pk>/access.csv", access_report.client_access_file, name="client_access_file"),
    path("break-glass/", break_glass.break_glass, name="break_glass"),
    path("break-glass/<uuid:access>/end/", break_glass.break_glass_end, name="break_glass_end"),
    path("clients/<uuid:pk>/alerts/<uuid:alert>/", alerts.alert, name="alert"),
    path("clients/<uuid:pk>/alerts/<uuid:alert>/acknowledge/", alerts.alert_acknowledge, name="alert_acknowledge"),
    path("clients/<uuid:pk>/alerts/<uuid:alert>/contact/", alerts.alert_contact, name="alert_contact"),
    path("clients/<uuid:pk>/alerts/<uuid:alert>/close/", alerts.alert_close, name="alert_close"),
    path("clients/<uuid:pk>/alerts/<uuid:alert>/add/", alerts.alert_add, name="alert_add"),
    path("clients/<uuid:pk>/alerts/<uuid:alert>/checked/", alerts.alert_checked, name="alert_checked"),
    path("clients/<uuid:pk>/flags/new/", alerts.flag_new, name="flag_new"),
    path("clients/<uuid:pk>/discharge/", discharge.client_discharge, name="client_discharge"),
    path("clients/<uuid:pk>/safety-plan/", safety_plan.safety_plan, name="safety_plan"),
    path("clients/<uuid:pk>/safety-plan/new/", safety_plan.safety_plan_new, name="safety_plan_new"),
    path("clients/<uuid:pk>/safety-plan/save/", safety_plan.safety_plan_save, name="safety_plan_save"),
    path("clients/<uuid:pk>/safety-plan/finish/", safety_plan.safety_plan_finish, name="safety_plan_finish"),
    path("clients/<uuid:pk>/safety-plan/give/", safety_plan.safety_plan_give, name="safety_plan_give"),
    path("clients/<uuid:pk>/safety-plan/pdf/", safety_plan.safety_plan_pdf, name="safety_plan_pdf"),
    path("clients/<uuid:pk>/notes/", notes.notes, name="notes"),
    path("clients/<uuid:pk>/psychotherapy-notes/", notes.psychotherapy_notes, name="psychotherapy_notes"),
    path("clients/<uuid:pk>/tasks/<uuid:task>/", activity.task_done, name="task_done"),
    path("clients/<uuid:pk>/notices/", notices.notices_sent, name="notices_sent"),
    path("clients/<uuid:pk>/activity/", activity.activity, name="activity"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/open/<uuid:alert>/", alerts.alert_open, name="alert_open"),
    path("alerts/<uuid:drill>/", alerts.drill_alert, name="drill_alert"),
    path("rules/<str:rule>/", rules.rule, name="rule"),
    # --- staff: referrals, plans
    path("", include("referrals.urls")),
    path("", include("practice.kap.urls")),
]
