from django.db import migrations, models

from usage.concurrently import AddIndexConcurrently


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('usage', '0013_account_required'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='usagerecord',
            index=models.Index(condition=models.Q(('end_user', ''), _negated=True), fields=['api_key', 'end_user', '-started_at'], name='usage_by_end_user'),
        ),
    ]
