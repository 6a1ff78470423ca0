"""Token counts, as the provider bills them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Disjoint classes: `input_tokens` is what was neither written to nor read from the cache."""

    input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0

    @property
    def prompt(self) -> int:
        """All input, cached or not."""
        return self.total - self.output_tokens

    @property
    def cache_write_tokens(self) -> int:
        """What was written to the cache, for either lifetime."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def total(self) -> int:
        """Everything."""
        return (
            self.input_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
            + self.cache_read_tokens
            + self.output_tokens
        )
