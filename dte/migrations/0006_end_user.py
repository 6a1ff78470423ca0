from django.db import migrations

import usage.models.end_user


class Migration(migrations.Migration):

    dependencies = [
        ('dte', '0005_kinds'),
    ]

    operations = [
        migrations.AddField(
            model_name='validation',
            name='end_user',
            field=usage.models.end_user.EndUserField(blank=True, db_default='', default='', max_length=100, verbose_name='usuario final'),
        ),
    ]
