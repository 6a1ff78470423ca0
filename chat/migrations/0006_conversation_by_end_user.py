from django.db import migrations, models

from usage.concurrently import AddIndexConcurrently


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('chat', '0005_end_user'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('end_user', ''), _negated=True), fields=['api_key', 'end_user', '-updated_at'], name='chat_conversation_by_end_user'),
        ),
    ]
