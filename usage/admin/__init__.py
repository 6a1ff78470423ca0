"""The admin of usage: keys are issued here, money is only read, limits and prices are edited."""

from usage.admin.accounts import AccountAdmin
from usage.admin.budgets import BudgetAdmin, BudgetWindowAdmin
from usage.admin.keys import ApiKeyAdmin
from usage.admin.people import GroupAdmin, UserAdmin
from usage.admin.prices import ModelPriceAdmin
from usage.admin.records import UsageRecordAdmin

__all__ = [
    "AccountAdmin",
    "ApiKeyAdmin",
    "BudgetAdmin",
    "BudgetWindowAdmin",
    "GroupAdmin",
    "ModelPriceAdmin",
    "UsageRecordAdmin",
    "UserAdmin",
]
