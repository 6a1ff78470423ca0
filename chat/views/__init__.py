"""The chat's endpoints: parse, hand over to the domain, answer. Nothing is decided here."""
