"""What models cannot say: the audit trail's triggers and the shared cache table."""

from django.core.management import call_command
from django.db import migrations

from practice import audit_triggers


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        audit_triggers.install(schema_editor.connection.vendor, cursor)


def drop(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        audit_triggers.drop(schema_editor.connection.vendor, cursor)


def cache_table(apps, schema_editor):
    call_command("createcachetable", "practice_cache", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("practice", "0001_initial")]
    operations = [
        migrations.RunPython(install, drop, elidable=False),
        migrations.RunPython(cache_table, migrations.RunPython.noop),
    ]
