"""An account for each key there is; an operator moves those that belong together."""

from django.db import migrations


def give_accounts(apps, schema_editor):
    Account, ApiKey = apps.get_model('usage', 'Account'), apps.get_model('usage', 'ApiKey')
    for key in ApiKey.objects.filter(account=None).order_by('pk'):
        key.account = Account.objects.create(name=key.name, created_at=key.created_at)
        key.save(update_fields=['account'])


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0011_accounts'),
    ]

    operations = [
        migrations.RunPython(give_accounts, migrations.RunPython.noop),
    ]
