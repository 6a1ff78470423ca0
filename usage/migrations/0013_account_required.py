import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0012_account_of_each_key'),
    ]

    operations = [
        migrations.AlterField(
            model_name='apikey',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='usage.account', verbose_name='cuenta'),
        ),
    ]
