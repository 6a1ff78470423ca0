"""The tables of usage: who may call, what a call costs, what was spent, what may be spent."""

from usage.models.account import Account
from usage.models.api_key import ApiKey
from usage.models.budget import Budget, BudgetWindow, Period
from usage.models.correction import Correction
from usage.models.daily import DailyUsage
from usage.models.idempotency import IdempotentAnswer
from usage.models.price import ModelPrice
from usage.models.process import ServingProcess
from usage.models.record import Operation, Outcome, State, UsageRecord

__all__ = [
    "Account",
    "ApiKey",
    "Budget",
    "BudgetWindow",
    "Correction",
    "DailyUsage",
    "IdempotentAnswer",
    "ModelPrice",
    "Operation",
    "Outcome",
    "Period",
    "ServingProcess",
    "State",
    "UsageRecord",
]
