from django.db import migrations, models

from usage.concurrently import AddIndexConcurrently


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('dte', '0006_end_user'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='validation',
            index=models.Index(condition=models.Q(('end_user', ''), _negated=True), fields=['api_key', 'end_user', '-created_at', '-id'], name='validation_by_end_user'),
        ),
    ]
