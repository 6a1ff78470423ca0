"""What the SII publishes: pages watched, their texts, the changes, and who was told of them."""

from datetime import datetime, timedelta
from typing import ClassVar, Final

from django.db import models
from django.db.models import F
from django.utils import timezone

# A run that has not shown itself for so long is dead, and another one may begin. Longer than what may
# lie between two signs of life: a fetch with its redirects, and a call of the model.
LOCK: Final = timedelta(minutes=10)


class Kind(models.TextChoices):
    """What a page publishes, and what a notice is about."""

    CIRCULAR = "circular", "circular"
    RESOLUCION = "resolucion", "resolución"
    FAQ = "faq", "preguntas frecuentes"
    FORMATO = "formato", "formato"
    OTRO = "otro", "otro"


class SiiSource(models.Model):
    """A page, and what became of looking at it."""

    slug = models.SlugField("identificador", max_length=60, unique=True)
    name = models.CharField("nombre", max_length=120)
    url = models.CharField(
        "dirección",
        max_length=500,
        help_text="Con {year} donde va el año: mientras la página del año no existe, la del anterior.",
    )
    kind = models.CharField("publica", max_length=12, choices=Kind.choices, default=Kind.OTRO)
    is_active = models.BooleanField("se revisa", default=True)

    # What the server said of the version we have, for the next conditional request.
    fetched_url = models.CharField(max_length=500, blank=True, editable=False)
    etag = models.CharField(max_length=300, blank=True, editable=False)
    last_modified = models.CharField(max_length=100, blank=True, editable=False)
    # A text that is not believed yet, and how often in a row it was seen.
    held_hash = models.CharField(max_length=64, blank=True, editable=False)
    held_count = models.PositiveSmallIntegerField(default=0, editable=False)

    last_checked_at = models.DateTimeField("última revisión", null=True, editable=False)
    last_ok_at = models.DateTimeField("última lectura", null=True, editable=False)
    last_changed_at = models.DateTimeField("último cambio", null=True, editable=False)
    last_result = models.CharField("resultado", max_length=30, blank=True, editable=False)
    last_detail = models.CharField("detalle", max_length=300, blank=True, editable=False)
    checks = models.PositiveIntegerField("revisiones", default=0, editable=False)
    errors = models.PositiveIntegerField("fallidas", default=0, editable=False)

    class Meta:
        verbose_name = "fuente del SII"
        verbose_name_plural = "fuentes del SII"
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    def forget(self) -> None:
        """Ask for the whole page next time, as if it had never been seen."""
        self.etag = self.last_modified = self.fetched_url = self.held_hash = ""
        self.held_count = 0


class SiiSnapshot(models.Model):
    """The text of a page, from one real change to the next. Never modified."""

    source = models.ForeignKey(SiiSource, models.CASCADE, related_name="snapshots")
    fetched_at = models.DateTimeField("leída", default=timezone.now)
    template = models.CharField(max_length=500)  # the source's address at that time
    url = models.CharField("dirección", max_length=500)
    text = models.TextField("texto")
    digest = models.CharField(max_length=64)

    class Meta:
        verbose_name = "texto de una página"
        verbose_name_plural = "textos de páginas"
        ordering = ["-pk"]
        indexes = [models.Index(fields=["source", "digest"], name="sii_snapshot_digest")]

    def __str__(self) -> str:
        return f"{self.source_id}: {self.digest[:12]}"


class SiiNotice(models.Model):
    """One change of one page: what it says, whom it touches, who has looked at it."""

    class Impact(models.IntegerChoices):
        """Ordered, so that a list by impact is a list by number."""

        LOW = 1, "bajo"
        MEDIUM = 2, "medio"
        HIGH = 3, "alto"

    class Author(models.TextChoices):
        """Who classified it."""

        MODEL = "modelo", "modelo de lenguaje"
        RULES = "reglas", "reglas, sin modelo"

    source = models.ForeignKey(
        SiiSource, models.CASCADE, related_name="notices", verbose_name="fuente"
    )
    before = models.ForeignKey(SiiSnapshot, models.PROTECT, related_name="+", editable=False)
    after = models.OneToOneField(SiiSnapshot, models.PROTECT, related_name="notice", editable=False)
    created_at = models.DateTimeField("detectado", default=timezone.now, db_index=True)
    url = models.CharField("dirección", max_length=500)
    diff = models.TextField("cambio")
    links = models.JSONField("archivos enlazados", default=list)
    fingerprint = models.CharField(max_length=64, db_index=True, editable=False)

    kind = models.CharField("tipo", max_length=12, choices=Kind.choices)
    number = models.CharField("número", max_length=60, blank=True)
    dates = models.JSONField("fechas", default=list)
    dte_types = models.JSONField("tipos de DTE", default=list)
    components = models.JSONField("componentes", default=list)
    summary = models.TextField("resumen")
    impact = models.PositiveSmallIntegerField("impacto", choices=Impact.choices)
    actions = models.JSONField("qué hacer", default=list)
    classified_by = models.CharField("clasificado por", max_length=10, choices=Author.choices)
    usage_id = models.UUIDField("registro de uso", null=True, editable=False)
    # [{"code", "title", "source"}] and [{"slug", "title", "source"}]: what cites the same text.
    rules = models.JSONField("reglas que citan lo mismo", default=list)
    documents = models.JSONField("documentos que citan lo mismo", default=list)

    reviewed_at = models.DateTimeField("revisado", null=True, editable=False)
    reviewed_by = models.CharField("revisado por", max_length=150, blank=True, editable=False)
    note = models.TextField("nota de la revisión", blank=True)

    class Meta:
        verbose_name = "aviso del SII"
        verbose_name_plural = "avisos del SII"
        ordering = ["-impact", "-created_at"]

    def __str__(self) -> str:
        number = f" {self.number}" if self.number else ""
        return f"{self.get_kind_display()}{number}: {self.source}"

    def review(self, author: str, when: datetime) -> None:
        """Note that somebody has looked; the first one stays."""
        if self.reviewed_at is None:
            self.reviewed_at, self.reviewed_by = when, author
            self.save(update_fields=["reviewed_at", "reviewed_by"])


class SiiDelivery(models.Model):
    """A notice on its way to one channel; written with the notice, so that none is forgotten."""

    class Channel(models.TextChoices):
        """The ways out."""

        WEBHOOK = "webhook", "webhook"
        EMAIL = "email", "correo"

    notice = models.ForeignKey(SiiNotice, models.CASCADE, related_name="deliveries")
    channel = models.CharField("canal", max_length=10, choices=Channel.choices)
    attempts = models.PositiveSmallIntegerField("intentos", default=0)
    due_at = models.DateTimeField("próximo intento", null=True, default=timezone.now, db_index=True)
    delivered_at = models.DateTimeField("entregado", null=True)
    error = models.CharField("último error", max_length=200, blank=True)

    class Meta:
        verbose_name = "entrega"
        verbose_name_plural = "entregas"
        constraints = [
            models.UniqueConstraint(fields=["notice", "channel"], name="sii_delivery_once")
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.notice_id}"


class SiiRun(models.Model):
    """One look at all sources. While it is active no other one begins, on whatever host."""

    active = models.BooleanField(null=True, default=True, unique=True)  # None once it has ended
    forced = models.BooleanField("forzada", default=False)
    started_at = models.DateTimeField("comenzó", default=timezone.now)
    expires_at = models.DateTimeField("vence")
    finished_at = models.DateTimeField("terminó", null=True)  # None: it died
    checks = models.PositiveIntegerField("revisiones", default=0)
    errors = models.PositiveIntegerField("fallidas", default=0)
    notices = models.PositiveIntegerField("avisos", default=0)

    objects: ClassVar[models.Manager["SiiRun"]] = models.Manager()

    class Meta:
        verbose_name = "pasada del monitor"
        verbose_name_plural = "pasadas del monitor"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.started_at:%d-%m-%Y %H:%M}"

    def beat(self) -> bool:
        """Show that the run lives; tell whether it still is the one that may write."""
        mine = SiiRun.objects.filter(pk=self.pk, active=True)
        return bool(mine.update(expires_at=timezone.now() + LOCK))

    def count(self, *, failed: bool, noticed: bool) -> None:
        """Add one source looked at."""
        SiiRun.objects.filter(pk=self.pk).update(
            checks=F("checks") + 1,
            errors=F("errors") + int(failed),
            notices=F("notices") + int(noticed),
        )

    def end(self) -> None:
        """Let another run begin."""
        SiiRun.objects.filter(pk=self.pk, active=True).update(
            active=None, finished_at=timezone.now()
        )
