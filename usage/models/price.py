"""What a model costs, and what it can do."""

from datetime import date
from typing import Any, ClassVar

from django.db import models
from django.utils.functional import cached_property


def _rate(label: str, **options: Any) -> "models.DecimalField[Any, Any]":
    # Four decimals of a dollar per million tokens: half of 1.1 times such a rate is still a whole
    # number of pico-dollars per token.
    return models.DecimalField(label, max_digits=10, decimal_places=4, **options)


class ModelPriceManager(models.Manager["ModelPrice"]):
    """Finds the price that holds on a day."""

    def current(self, model: str, on: date) -> "ModelPrice | None":
        """Return the price of a model on a day, or None: then the model may not be called."""
        return self.filter(model=model, valid_from__lte=on).order_by("-valid_from").first()


class ModelPrice(models.Model):
    """A model's rates from a day on, in USD per million tokens; seeded from `usage/accounting/prices.csv`."""

    model = models.CharField("modelo", max_length=80)
    valid_from = models.DateField("vigente desde")
    input = _rate("entrada")
    cache_write_5m = _rate("escritura de caché 5 min")
    cache_write_1h = _rate("escritura de caché 1 h")
    cache_read = _rate("lectura de caché")
    output = _rate("salida")
    # Haiku 5.5 charges the whole request at other rates when its input exceeds this many tokens.
    long_from_tokens = models.PositiveIntegerField(
        "tramo largo desde (tokens)", null=True, blank=True
    )
    long_input = _rate("entrada, tramo largo", null=True, blank=True)
    long_cache_write_5m = _rate("escritura de caché 5 min, tramo largo", null=True, blank=True)
    long_cache_write_1h = _rate("escritura de caché 1 h, tramo largo", null=True, blank=True)
    long_cache_read = _rate("lectura de caché, tramo largo", null=True, blank=True)
    long_output = _rate("salida, tramo largo", null=True, blank=True)
    context_tokens = models.PositiveIntegerField("contexto (tokens)")
    max_output_tokens = models.PositiveIntegerField("salida máxima (tokens)")
    min_cacheable_tokens = models.PositiveIntegerField("mínimo para caché (tokens)")
    retires_on = models.DateField("se retira el", null=True, blank=True)
    source = models.CharField("fuente", max_length=300, blank=True)

    objects: ClassVar[ModelPriceManager] = ModelPriceManager()

    class Meta:
        verbose_name = "precio de modelo"
        verbose_name_plural = "precios de modelos"
        ordering = ["model", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["model", "valid_from"], name="price_once_per_day"),
            models.CheckConstraint(
                name="price_long_rates_complete",
                condition=models.Q(
                    long_from_tokens__isnull=True,
                    long_input__isnull=True,
                    long_cache_write_5m__isnull=True,
                    long_cache_write_1h__isnull=True,
                    long_cache_read__isnull=True,
                    long_output__isnull=True,
                )
                | models.Q(
                    long_from_tokens__isnull=False,
                    long_input__isnull=False,
                    long_cache_write_5m__isnull=False,
                    long_cache_write_1h__isnull=False,
                    long_cache_read__isnull=False,
                    long_output__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} desde {self.valid_from:%d-%m-%Y}"

    @cached_property
    def is_billed(self) -> bool:
        """Whether calls were billed by it; looked up once."""
        return self.usagerecord_set.exists()
