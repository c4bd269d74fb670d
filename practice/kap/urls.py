"""Care that we give."""

from django.urls import path

from practice.kap.views import (
    absences,
    asking,
    chaperone,
    clearance,
    feeds,
    making,
    my_away,
    my_plan,
    plan,
    plan_acts,
    plans,
    prescriber,
    remote_acts,
    rescreening,
    session,
    session_acts,
)

urlpatterns = [
    # --- the client
    path("my/plan/", my_plan.my_plan, name="my_plan"),
    path("my/plan/<uuid:session>/", my_plan.my_intention, name="my_intention"),
    path("my/plan/away/", my_away.my_away, name="my_away"),
    path("my/plan/away/<uuid:absence>/remove/", my_away.my_away_remove, name="my_away_remove"),
    # --- calendar programs, and whose calendar it is
    path("feed/<str:token>.ics", feeds.feed, name="feed"),
    path("account/calendar/", feeds.feed_new, name="feed_new"),
    # --- a prescriber without an account
    path("x/<str:token>/", prescriber.prescriber_open, name="prescriber_open"),
    path("prescriber/code/", prescriber.prescriber_code, name="prescriber_code"),
    path("prescriber/answer/", prescriber.prescriber_answer, name="prescriber_answer"),
    # --- the adult in the home of a session by video
    path("c/<str:token>/", chaperone.chaperone_open, name="chaperone_open"),
    path("c/<str:token>/news/", chaperone.chaperone_news, name="chaperone_news"),
    path("chaperone/", chaperone.chaperone, name="chaperone"),
    path("chaperone/worker.js", chaperone.chaperone_worker, name="chaperone_worker"),
    # --- staff
    path("prescribers/", asking.prescribers, name="prescribers"),
    path("clients/<uuid:pk>/clearance/ask/", asking.clearance_ask, name="clearance_ask"),
    path("plans/", plans.plans, name="plans"),
    path("plans/absences/", absences.absences, name="absences"),
    path("plans/absences/<int:pk>/remove/", absences.absence_remove, name="absence_remove"),
    path("plans/<uuid:plan>/", plan.plan, name="plan"),
    path("plans/<uuid:plan>/move/", plan_acts.plan_move, name="plan_move"),
    path("plans/<uuid:plan>/add/", plan_acts.plan_add, name="plan_add"),
    path("plans/<uuid:plan>/skip/", plan_acts.plan_skip, name="plan_skip"),
    path("plans/<uuid:plan>/book-more/", plan_acts.plan_book_more, name="plan_book_more"),
    path("plans/<uuid:plan>/rescreen/", rescreening.plan_rescreen, name="plan_rescreen"),
    path("plans/<uuid:plan>/end/", plan_acts.plan_end, name="plan_end"),
    path("plans/<uuid:plan>/override/", plan_acts.plan_override, name="plan_override"),
    path("plans/<uuid:plan>/sessions/<uuid:session>/", session.session, name="session"),
    path("plans/<uuid:plan>/sessions/<uuid:session>/entries/", session_acts.session_entries, name="session_entries"),
    path("plans/<uuid:plan>/sessions/<uuid:session>/start/", session_acts.session_start, name="session_start"),
    path("plans/<uuid:plan>/sessions/<uuid:session>/sign/", session_acts.session_sign, name="session_sign"),
    path("plans/<uuid:plan>/sessions/<uuid:session>/note/", session_acts.session_note, name="session_note"),
    path("plans/<uuid:plan>/sessions/<uuid:session>/worker.js", session_acts.session_worker, name="session_worker"),
    path("plans/<uuid:plan>/sessions/<uuid:session>/place/", remote_acts.session_place, name="session_place"),
    path("plans/<uuid:plan>/sessions/<uuid:session>/home/", remote_acts.session_chaperone, name="session_chaperone"),
    path(
        "plans/<uuid:plan>/sessions/<uuid:session>/home/end/",
        remote_acts.session_chaperone_end,
        name="session_chaperone_end",
    ),
    path("clients/<uuid:pk>/plans/new/", making.plan_new, name="plan_new"),
    path("clients/<uuid:pk>/absences/", absences.client_absences, name="client_absences"),
    path(
        "clients/<uuid:pk>/absences/<uuid:absence>/remove/",
        absences.client_absence_remove,
        name="client_absence_remove",
    ),
    path("clients/<uuid:pk>/clearance/", clearance.clearance, name="clearance"),
    path("clients/<uuid:pk>/clearance/add/", clearance.clearance_add, name="clearance_add"),
    path(
        "clients/<uuid:pk>/clearance/<uuid:clearance>/withdraw/",
        clearance.clearance_withdraw,
        name="clearance_withdraw",
    ),
]
