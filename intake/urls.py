"""The client side and the therapist side of intake."""

from django.urls import URLPattern, path

from intake.views import (
    asking,
    enquiries,
    home,
    inviting,
    language,
    measures,
    messages,
    my_messages,
    my_record,
    my_safety_plan,
    opening,
    questions,
    reading,
    sending,
    support,
)

urlpatterns: list[URLPattern] = [
    # --- anyone
    path("options/", asking.options_page, name="options_page"),
    path("enquire/", asking.enquire, name="enquire"),
    path("enquire/sent/", asking.enquire_sent, name="enquire_sent"),
    # --- the client
    path("p/<str:token>/", opening.link_open, name="link_open"),
    path("lang/", language.language, name="language"),
    path("my/code/", opening.link_code, name="link_code"),
    path("my/new-link/", opening.link_new, name="link_new"),
    path("my/locked/", opening.my_locked, name="my_locked"),
    path("my/", opening.my_start, name="my_start"),
    path("my/later/", opening.my_later, name="my_later"),
    path("my/q/<slug:page>/", questions.my_page, name="my_page"),
    path("my/save/<slug:page>/", questions.my_save, name="my_save"),
    path("my/support/", support.my_support, name="my_support"),
    path("my/tapped/", support.my_tapped, name="my_tapped"),
    path("my/call-me/", support.my_call_me, name="my_call_me"),
    path("my/check/", sending.my_check, name="my_check"),
    path("my/send/", sending.my_send, name="my_send"),
    path("my/done/", sending.my_done, name="my_done"),
    path("my/copies/<uuid:pk>/", sending.my_copy, name="my_copy"),
    # --- the client's own page (its front, /my/home/, is composed in practice.urls)
    path("my/home/check/", home.home_check, name="home_check"),
    path("my/home/lock/", home.my_home_lock, name="my_home_lock"),
    path("my/copies/", home.my_copies, name="my_copies"),
    path("my/messages/", my_messages.my_messages, name="my_messages"),
    path("my/messages/draft/", my_messages.my_messages_draft, name="my_messages_draft"),
    path("my/messages/help/", my_messages.my_messages_help, name="my_messages_help"),
    path("my/record/", my_record.my_record, name="my_record"),
    path("my/safety-plan/", my_safety_plan.my_safety_plan, name="my_safety_plan"),
    path("my/safety-plan/kept/", my_safety_plan.my_safety_plan_kept, name="my_safety_plan_kept"),
    path("my/safety-plan/pdf/", my_safety_plan.my_safety_plan_pdf, name="my_safety_plan_pdf"),
    path("my/safety-plan/worker.js", my_safety_plan.safety_plan_worker, name="safety_plan_worker"),
    path("my/home/copies/<uuid:pk>/", home.my_home_copy, name="my_home_copy"),
    # --- staff
    path("messages/", messages.inbox, name="inbox"),
    path("clients/<uuid:pk>/messages/", messages.client_messages, name="client_messages"),
    path("clients/<uuid:pk>/messages/done/", messages.client_messages_done, name="client_messages_done"),
    path("enquiries/", enquiries.enquiries, name="enquiries"),
    path("enquiries/<uuid:pk>/", enquiries.enquiry, name="enquiry"),
    path("practice/public/", enquiries.public_pages, name="public_pages"),
    path("clients/<uuid:pk>/assessments/<uuid:assessment>/", reading.assessment, name="assessment"),
    path("clients/<uuid:pk>/assessments/<uuid:assessment>/read/", reading.assessment_read, name="assessment_read"),
    path("clients/<uuid:pk>/intakes/<uuid:intake>/", reading.intake_read, name="intake_read"),
    path("clients/<uuid:pk>/agreements/<uuid:signature>/", reading.agreement_copy, name="agreement_copy"),
    path("clients/<uuid:pk>/planned/<uuid:measure>/stop/", measures.measure_stop, name="measure_stop"),
    path("clients/new/", inviting.client_new, name="client_new"),
    path("clients/<uuid:pk>/invite/", inviting.client_invite, name="client_invite"),
    path("clients/<uuid:pk>/page-link/", inviting.home_send, name="home_send"),
    path(
        "clients/<uuid:pk>/invitations/<uuid:invitation>/resend/", inviting.invitation_resend, name="invitation_resend"
    ),
    path(
        "clients/<uuid:pk>/invitations/<uuid:invitation>/withdraw/",
        inviting.invitation_withdraw,
        name="invitation_withdraw",
    ),
]
