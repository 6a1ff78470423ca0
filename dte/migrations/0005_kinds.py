from django.db import migrations, models

ENVELOPES = ("EnvioDTE", "EnvioBOLETA", "SetDTE")


def name_envelopes(apps, schema_editor):
    validations = apps.get_model("dte", "Validation").objects.using(schema_editor.connection.alias)
    for name in ENVELOPES:
        validations.filter(number=0, summary__type_name=name).update(kind=name)


class Migration(migrations.Migration):

    dependencies = [("dte", "0004_validation_listed")]

    operations = [
        migrations.AddField(
            model_name="validation",
            name="kind",
            field=models.CharField(default="DTE", max_length=20, verbose_name="clase"),
        ),
        migrations.AddField(
            model_name="validation",
            name="state",
            field=models.CharField(blank=True, default="", max_length=40, verbose_name="estado"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="validation",
            name="track_id",
            field=models.CharField(blank=True, default="", help_text="Track ID que dio el SII.", max_length=20, verbose_name="n° de envío al SII"),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="validation",
            index=models.Index(condition=models.Q(("track_id", ""), _negated=True), fields=["api_key", "track_id"], name="validation_track"),
        ),
        migrations.RunPython(name_envelopes, migrations.RunPython.noop),
    ]
