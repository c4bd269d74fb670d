"""The floor that the product is measured against: the same reads and writes in one file of bare Django.

No sign-in, no permissions, no rules, no sealing, no audit chain, no translations. Not a product: what it costs is what
the database, the ORM and the template engine cost. Serve it with `gunicorn bench.limits.app:application`; the tables
(tables.sql) are filled by `manage.py bench seed`.
"""

import json
from datetime import UTC, datetime
from typing import Any

import environ
from django.conf import settings

if not settings.configured:
    settings.configure(
        SECRET_KEY="the floor keeps no secrets and no sessions",  # noqa: S106 (not a secret)
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=[],
        DATABASES={"default": environ.Env().db("DATABASE_URL")},
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [("django.template.loaders.cached.Loader", ["bench.limits.app.Pages"])],
                },
            }
        ],
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    _database = settings.DATABASES["default"]
    if _database["ENGINE"].endswith("sqlite3"):
        _database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA cache_size=-20000;",
        }
    else:
        _database["CONN_MAX_AGE"] = 60

import django

django.setup()

from django import forms  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models, transaction  # noqa: E402
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.template.loaders.base import Loader  # noqa: E402
from django.urls import path  # noqa: E402

from bench.counting import counted  # noqa: E402


class LimitClient(models.Model):
    therapist_id = models.IntegerField()
    status = models.CharField(max_length=12)
    turn = models.IntegerField()
    name = models.CharField(max_length=80)
    name_key = models.CharField(max_length=80)
    pronouns = models.CharField(max_length=20)
    why = models.CharField(max_length=120)
    phq9 = models.TextField()
    plan = models.CharField(max_length=60)
    next_session_at = models.CharField(max_length=32)
    last_heard_at = models.CharField(max_length=32, default="")

    class Meta:
        app_label, db_table, managed = "limits", "limit_client", False

    @property
    def scores(self) -> list[Any]:
        return [point[1] for point in json.loads(self.phq9)]


class LimitSitting(models.Model):
    client_id = models.IntegerField()
    saved_at = models.CharField(max_length=32, default="")
    submitted_at = models.CharField(max_length=32, default="")

    class Meta:
        app_label, db_table, managed = "limits", "limit_sitting", False


class LimitAnswer(models.Model):
    sitting_id = models.IntegerField()
    question = models.CharField(max_length=80)
    value = models.TextField()
    at = models.CharField(max_length=32)

    class Meta:
        app_label, db_table, managed = "limits", "limit_answer", False


class LimitResponse(models.Model):
    client_id = models.IntegerField()
    instrument = models.CharField(max_length=32)
    answers = models.TextField()
    total = models.IntegerField(null=True)
    band = models.CharField(max_length=24)
    taken_at = models.CharField(max_length=32)

    class Meta:
        app_label, db_table, managed = "limits", "limit_response", False


class LimitAlert(models.Model):
    client_id = models.IntegerField()
    severity = models.CharField(max_length=8)
    opened_at = models.CharField(max_length=32)

    class Meta:
        app_label, db_table, managed = "limits", "limit_alert", False


class LimitReferral(models.Model):
    therapist_id = models.IntegerField()
    clinic_id = models.IntegerField()
    name = models.CharField(max_length=80)
    clinic = models.CharField(max_length=80)
    reference = models.CharField(max_length=24)
    state = models.CharField(max_length=16)
    urgency = models.CharField(max_length=8)
    sent_at = models.CharField(max_length=32)
    due_at = models.CharField(max_length=32)
    packet = models.TextField()

    class Meta:
        app_label, db_table, managed = "limits", "limit_referral", False


class LimitAudit(models.Model):
    at = models.CharField(max_length=32)
    action = models.CharField(max_length=48)
    client_id = models.IntegerField()

    class Meta:
        app_label, db_table, managed = "limits", "limit_audit", False


class LimitOutbox(models.Model):
    kind = models.CharField(max_length=48)
    ref = models.CharField(max_length=64)
    created_at = models.CharField(max_length=32)

    class Meta:
        app_label, db_table, managed = "limits", "limit_outbox", False


PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{% block title %}{% endblock %}</title></head>
<body><main>{% block main %}{% endblock %}</main></body></html>"""
CASELOAD = """{% extends "page" %}{% block title %}Caseload{% endblock %}{% block main %}<h1>Caseload</h1><table>
<thead><tr><th>Client<th>Why it is here<th>PHQ-9<th>Plan<th>Next session<th>Action</tr></thead><tbody>
{% for client in clients %}<tr><th scope="row"><a href="/chart/{{ client.pk }}/">{{ client.name }}</a>
<small>{{ client.pronouns }}</small></th><td>{{ client.why }}</td>
<td>{% for score in client.scores %}{{ score }} {% endfor %}</td>
<td>{{ client.plan }}</td><td>{{ client.next_session_at }}</td><td><a href="/chart/{{ client.pk }}/">Open</a></td></tr>
{% endfor %}</tbody></table>{% endblock %}"""
CHART = """{% extends "page" %}{% block title %}Chart{% endblock %}{% block main %}<h1>{{ client.name }}</h1>
<p>{{ client.pronouns }} {{ client.plan }} {{ client.next_session_at }}</p>
<ul>{% for alert in alerts %}<li>{{ alert.severity }} {{ alert.opened_at }}</li>{% endfor %}</ul>
<table><thead><tr><th>Date<th>Form<th>Score<th>Band</tr></thead><tbody>
{% for response in responses %}<tr><td>{{ response.taken_at }}</td><td>{{ response.instrument }}</td>
<td>{{ response.total }}</td><td>{{ response.band }}</td></tr>{% endfor %}</tbody></table>{% endblock %}"""
FOUND = """{% extends "page" %}{% block title %}Find{% endblock %}{% block main %}<h1>Find</h1><ul>
{% for client in clients %}<li><a href="/chart/{{ client.pk }}/">{{ client.name }}</a></li>{% endfor %}</ul>
{% endblock %}"""
REFERRALS = """{% extends "page" %}{% block title %}Referrals{% endblock %}{% block main %}<h1>Referrals</h1><table>
<thead><tr><th>Reference<th>Client<th>Clinic<th>State<th>Sent<th>Due</tr></thead><tbody>{% for row in rows %}<tr>
<th scope="row"><a href="/packet/{{ row.pk }}/">{{ row.reference }}</a></th><td>{{ row.name }}</td>
<td>{{ row.clinic }}</td><td>{{ row.state }} {{ row.urgency }}</td><td>{{ row.sent_at }}</td>
<td>{{ row.due_at }}</td></tr>{% endfor %}</tbody></table>{% endblock %}"""
PACKET = """{% extends "page" %}{% block title %}Packet{% endblock %}{% block main %}<h1>{{ row.reference }}</h1>
<p>{{ row.name }} {{ row.clinic }}</p>{% for title, text in parts %}<h2>{{ title }}</h2><p>{{ text }}</p>{% endfor %}
{% endblock %}"""
TEXTS = {"page": PAGE, "caseload": CASELOAD, "chart": CHART, "found": FOUND, "referrals": REFERRALS, "packet": PACKET}


class Pages(Loader):
    def get_template_sources(self, template_name: str) -> Any:
        from django.template import Origin

        yield Origin(name=template_name, template_name=template_name, loader=self)

    def get_contents(self, origin: Any) -> str:
        return TEXTS[origin.template_name]


PHQ9 = tuple(f"phq-9/{n}" for n in range(1, 10))
GAD7 = tuple(f"gad-7/{n}" for n in range(1, 8))
CUTS = ((20, "severe"), (15, "moderately severe"), (10, "moderate"), (5, "mild"), (0, "minimal"))


class Answers(forms.Form):
    """The fields of two instruments: what checking them costs in bare Django."""


for _question in PHQ9 + GAD7:
    Answers.base_fields[_question] = forms.IntegerField(min_value=0, max_value=3)


def now() -> str:
    return datetime.now(UTC).isoformat()


@transaction.atomic
def autosave(request: HttpRequest, sitting: int) -> HttpResponse:
    at = now()
    LimitAnswer.objects.update_or_create(
        sitting_id=sitting, question=request.POST["question"], defaults={"value": request.POST["value"], "at": at}
    )
    LimitSitting.objects.filter(pk=sitting).update(saved_at=at)
    return HttpResponse(status=204)


@transaction.atomic
def submit(request: HttpRequest, sitting: int) -> HttpResponse:
    """Read the answers, score two instruments, keep them, the client's short history, an audit and an outbox row."""
    at = now()
    found = LimitSitting.objects.select_for_update().get(pk=sitting)
    values = dict(LimitAnswer.objects.filter(sitting_id=sitting).values_list("question", "value"))
    form = Answers(values)
    if not form.is_valid():
        return HttpResponse(status=400)
    totals = {}
    for instrument, questions in (("phq-9", PHQ9), ("gad-7", GAD7)):
        answers = {question: form.cleaned_data[question] for question in questions}
        totals[instrument] = total = sum(answers.values())
        LimitResponse.objects.create(
            client_id=found.client_id,
            instrument=instrument,
            answers=json.dumps(answers),
            total=total,
            band=next(band for cut, band in CUTS if total >= cut),
            taken_at=at,
        )
    client = LimitClient.objects.get(pk=found.client_id)
    client.phq9 = json.dumps([*json.loads(client.phq9), [at[:10], totals["phq-9"], values["phq-9/9"] != "0"]][-6:])
    LimitClient.objects.filter(pk=client.pk).update(phq9=client.phq9, last_heard_at=at)
    LimitSitting.objects.filter(pk=sitting).update(submitted_at=at)
    LimitAudit.objects.create(at=at, action="submitted", client_id=client.pk)
    LimitOutbox.objects.create(kind="tell", ref=str(client.pk), created_at=at)
    return HttpResponseRedirect("/done/")


def caseload(request: HttpRequest, therapist: int) -> HttpResponse:
    rows = LimitClient.objects.filter(therapist_id=therapist, status="active").order_by("turn", "id")[:50]
    return render(request, "caseload", {"clients": rows})


def chart(request: HttpRequest, pk: int) -> HttpResponse:
    client = LimitClient.objects.get(pk=pk)
    return render(
        request,
        "chart",
        {
            "client": client,
            "alerts": LimitAlert.objects.filter(client_id=pk).order_by("-opened_at"),
            "responses": LimitResponse.objects.filter(client_id=pk).order_by("-taken_at")[:60],
        },
    )


def search(request: HttpRequest, therapist: int) -> HttpResponse:
    start = request.GET["q"].casefold()
    rows = LimitClient.objects.filter(therapist_id=therapist, name_key__gte=start, name_key__lt=start + "￿")
    return render(request, "found", {"clients": rows.order_by("name_key")[:20]})


def referrals(request: HttpRequest, therapist: int) -> HttpResponse:
    rows = LimitReferral.objects.filter(therapist_id=therapist).defer("packet").order_by("due_at", "id")[:50]
    return render(request, "referrals", {"rows": rows})


def desk(request: HttpRequest, clinic: int) -> HttpResponse:
    rows = LimitReferral.objects.filter(clinic_id=clinic).defer("packet").order_by("sent_at")
    return render(request, "referrals", {"rows": rows})


def packet(request: HttpRequest, pk: int) -> HttpResponse:
    row = LimitReferral.objects.get(pk=pk)
    return render(request, "packet", {"row": row, "parts": json.loads(row.packet)})


urlpatterns = [
    path("autosave/<int:sitting>/", autosave),
    path("submit/<int:sitting>/", submit),
    path("caseload/<int:therapist>/", caseload),
    path("chart/<int:pk>/", chart),
    path("search/<int:therapist>/", search),
    path("referrals/<int:therapist>/", referrals),
    path("desk/<int:clinic>/", desk),
    path("packet/<int:pk>/", packet),
]
application = counted(get_wsgi_application())
