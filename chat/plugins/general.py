"""Everything that no other specialist recognises."""

from chat.plugins.specialist import Specialist

SPECIALIST = Specialist(
    name="general",
    module="base",
    title="Consultas generales",
    patterns=(),
)
