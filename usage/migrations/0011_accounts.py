"""Accounts above keys, and whom a request was made for.

Columns are added with a default that the database knows, so no table is written anew and a release
that does not know them goes on writing rows.
"""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import usage.models.account
import usage.models.end_user


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0010_beats_and_estimates'),
    ]

    operations = [
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='nombre')),
                ('rut', usage.models.account.RutField(blank=True, max_length=12, validators=[usage.models.account.check_rut], verbose_name='RUT')),
                ('active', models.BooleanField(default=True, help_text='Sin esta marca, ninguna de sus claves abre nada.', verbose_name='activa')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='creada')),
            ],
            options={
                'verbose_name': 'cuenta',
                'verbose_name_plural': 'cuentas',
                'ordering': ['name', 'pk'],
            },
        ),
        migrations.AddField(
            model_name='apikey',
            name='account',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='usage.account', verbose_name='cuenta'),
        ),
        migrations.AlterModelOptions(
            name='budget',
            options={'ordering': ['api_key', 'account', 'end_user', 'period'], 'verbose_name': 'presupuesto', 'verbose_name_plural': 'presupuestos'},
        ),
        migrations.AlterModelOptions(
            name='budgetwindow',
            options={'ordering': ['-starts_on', 'period', 'api_key', 'account', 'end_user'], 'verbose_name': 'ventana de presupuesto', 'verbose_name_plural': 'ventanas de presupuesto'},
        ),
        migrations.RemoveConstraint(
            model_name='budget',
            name='budget_once_globally',
        ),
        migrations.RemoveConstraint(
            model_name='budgetwindow',
            name='window_once_globally',
        ),
        migrations.AddField(
            model_name='budget',
            name='account',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='usage.account', verbose_name='cuenta'),
        ),
        migrations.AddField(
            model_name='budgetwindow',
            name='account',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='usage.account', verbose_name='cuenta'),
        ),
        migrations.AddField(
            model_name='budget',
            name='end_user',
            field=usage.models.end_user.EndUserField(blank=True, db_default='', default='', max_length=100, verbose_name='usuario final'),
        ),
        migrations.AddField(
            model_name='budgetwindow',
            name='end_user',
            field=usage.models.end_user.EndUserField(blank=True, db_default='', default='', max_length=100, verbose_name='usuario final'),
        ),
        migrations.AddField(
            model_name='usagerecord',
            name='end_user',
            field=usage.models.end_user.EndUserField(blank=True, db_default='', default='', max_length=100, verbose_name='usuario final'),
        ),
        migrations.AlterField(
            model_name='budget',
            name='api_key',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='usage.apikey', verbose_name='clave'),
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.UniqueConstraint(fields=('account', 'end_user', 'period'), name='budget_once_per_account'),
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.UniqueConstraint(condition=models.Q(('account', None), ('api_key', None)), fields=('period',), name='budget_once_for_all'),
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.CheckConstraint(condition=models.Q(('api_key', None), models.Q(('account', None), ('end_user', '')), _connector='OR'), name='budget_one_holder'),
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.CheckConstraint(condition=models.Q(('end_user', ''), ('account__isnull', False), _connector='OR'), name='budget_user_of_account'),
        ),
        migrations.AddConstraint(
            model_name='budgetwindow',
            constraint=models.UniqueConstraint(fields=('account', 'end_user', 'period', 'starts_on'), name='window_once_per_account'),
        ),
        migrations.AddConstraint(
            model_name='budgetwindow',
            constraint=models.UniqueConstraint(condition=models.Q(('account', None), ('api_key', None)), fields=('period', 'starts_on'), name='window_once_for_all'),
        ),
        migrations.AddConstraint(
            model_name='budgetwindow',
            constraint=models.CheckConstraint(condition=models.Q(('api_key', None), models.Q(('account', None), ('end_user', '')), _connector='OR'), name='window_one_holder'),
        ),
        migrations.AddConstraint(
            model_name='budgetwindow',
            constraint=models.CheckConstraint(condition=models.Q(('end_user', ''), ('account__isnull', False), _connector='OR'), name='window_user_of_account'),
        ),
    ]
