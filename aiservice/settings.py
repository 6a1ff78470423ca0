"""All settings, read once from the environment; aiservice/environment.py says how values are read.

``ENVIRONMENT`` is ``production`` unless set: a process that was configured by nobody refuses to start
rather than starting insecurely. docs/settings.md lists every variable.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

from aiservice.api import rest_framework, spectacular
from aiservice.database.configuration import database
from aiservice.environment import Environment, development_secret_key
from aiservice.logs import logging_config
from aiservice.theme import UNFOLD as UNFOLD
from aiservice.theme import templates

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

env = Environment(os.environ)

ENVIRONMENT = env.choice("ENVIRONMENT", "production", "development", default="production")
PRODUCTION = ENVIRONMENT == "production"
STATE_DIR = env.directory("STATE_DIR", default=BASE_DIR / "var")

# --- Security -------------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG", default=False)
ALLOWED_HOSTS = env.served_names("ALLOWED_HOSTS", default=[] if PRODUCTION else ["*"])
SECRET_KEY = env.text("SECRET_KEY") or ("" if PRODUCTION else development_secret_key(STATE_DIR))

if PRODUCTION:
    if DEBUG:
        raise ImproperlyConfigured("DEBUG must be off in production.")
    if (
        len(SECRET_KEY) < 50
        or len(set(SECRET_KEY)) < 5
        or SECRET_KEY.startswith("django-insecure-")
    ):
        raise ImproperlyConfigured(
            "SECRET_KEY is missing or weak: set SECRET_KEY or SECRET_KEY_FILE to at least 50 random "
            "characters (or ENVIRONMENT=development on your own machine)."
        )
    if not ALLOWED_HOSTS or any("*" in host for host in ALLOWED_HOSTS):
        raise ImproperlyConfigured("ALLOWED_HOSTS must name the hosts served, without wildcards.")

# Reverse proxies in front of the service. 0: the peer address is the client, X-Forwarded-* is ignored.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", default=0)
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
# Sites whose pages may call the API and open its socket from a browser, and show the chat in a frame.
ALLOWED_ORIGINS = env.origins("ALLOWED_ORIGINS")
CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = (*default_headers, "x-api-key", "idempotency-key", "last-event-id")
CORS_EXPOSE_HEADERS = ("X-Session-Id", "X-Request-ID", "Retry-After", "RateLimit-Remaining")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=PRODUCTION)
# Machines call these, often from inside the cluster: a redirect would hide a misconfigured client
# that has already sent its key in clear, and probes do not follow it.
SECURE_REDIRECT_EXEMPT = [r"^api/", r"^(health|ready|live|metrics)$"]
SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", default=31_536_000 if PRODUCTION else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_FAILURE_VIEW = "aiservice.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"

# --- Server ---------------------------------------------------------------------------------------

HOST = env.host("HOST", default="127.0.0.1")
PORT = env.integer("PORT", default=8000, low=1, high=65_535)
# After SIGTERM: how long everything is still served while /ready says no, then how long replies may take.
STOP_DELAY_SECONDS = env.seconds("STOP_DELAY_SECONDS", default=0)
DRAIN_SECONDS = env.seconds("DRAIN_SECONDS", default=20)
# No endpoint takes more: what the server stores of a request before any code of ours sees it.
MAX_REQUEST_BYTES = env.integer("MAX_REQUEST_BYTES", default=40 * 1024 * 1024, low=1)

# --- Applications ---------------------------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",  # before staticfiles: its runserver serves ASGI
    "unfold",  # before the admin: it brings its templates
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "aiservice.apps.LoginsConfig",  # django-axes
    "auditlog",
    "usage",
    "knowledge",
    "dte",
    "chat",
    "aiservice",
]

# Every synchronous middleware costs thread hops per request, so what only the admin needs (session,
# user, messages) runs only there, and Django's own protection on the event loop.
MIDDLEWARE = [
    "aiservice.middleware.RequestMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "aiservice.middleware.InlineSecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "aiservice.middleware.AdminSessionMiddleware",
    "aiservice.middleware.InlineCsrfViewMiddleware",
    "aiservice.middleware.AdminAuthenticationMiddleware",
    "aiservice.audit.AdminAuditMiddleware",
    "aiservice.middleware.AdminMessageMiddleware",
    "aiservice.logins.AdminLoginMiddleware",
    "aiservice.middleware.InlineXFrameOptionsMiddleware",
    "aiservice.middleware.ContentSecurityPolicyMiddleware",
]

# These look for middleware by name, and ours are children of it. aiservice/checks.py warns of what an
# operator can turn off.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003", "axes.W002"]

ROOT_URLCONF = "aiservice.urls"
ASGI_APPLICATION = "aiservice.asgi.application"
TEMPLATES = templates(BASE_DIR / "aiservice" / "templates")

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # refuses who is locked out, before a password is hashed
    "django.contrib.auth.backends.ModelBackend",
]
# Logins by OpenID Connect (aiservice/oidc.py); without an issuer, by password alone.
OIDC_ISSUER = env.url("OIDC_ISSUER", "https", "http")
OIDC_RP_CLIENT_ID = env.text("OIDC_CLIENT_ID")
OIDC_RP_CLIENT_SECRET = env.text("OIDC_CLIENT_SECRET")
OIDC_RP_SIGN_ALGO = env.choice("OIDC_SIGN_ALGORITHM", "RS256", "ES256", default="RS256")
OIDC_GROUPS_CLAIM = env.text("OIDC_GROUPS_CLAIM", default="groups")
OIDC_RP_SCOPES = env.text("OIDC_SCOPES", default="openid email profile")
OIDC_USE_PKCE = True
OIDC_TIMEOUT = 10
if OIDC_ISSUER:
    AUTHENTICATION_BACKENDS.append("aiservice.oidc.Backend")
    if not (OIDC_RP_CLIENT_ID and OIDC_RP_CLIENT_SECRET):
        raise ImproperlyConfigured("OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.")
# Wrong passwords that lock an address out of the admin, and for how long; by name, anybody could lock
# the administrator out.
AXES_FAILURE_LIMIT = env.integer("ADMIN_LOGIN_FAILURES", default=10, low=1)
AXES_COOLOFF_TIME = timedelta(seconds=env.seconds("ADMIN_LOCKOUT_SECONDS", default=900, low=1))
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_PARAMETERS = ["ip_address"]
AXES_CLIENT_IP_CALLABLE = "aiservice.logins.address_of"
AXES_LOCKOUT_CALLABLE = "aiservice.logins.locked_out"

LOGIN_REDIRECT_URL = "admin:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Language and time ----------------------------------------------------------------------------

LANGUAGE_CODE = "es-cl"
FORMAT_MODULE_PATH = "aiservice.formats"
LOCALE_PATHS = [BASE_DIR / "aiservice" / "locale"]  # what the admin's theme has no Spanish for
TIME_ZONE = "America/Santiago"
USE_I18N = True
USE_TZ = True

# --- Static files ---------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
# Development serves straight from the applications; production from what collectstatic gathered.
SERVESTATIC_USE_FINDERS = not PRODUCTION
# Otherwise every request, of the API too, first looks for a file, in one more thread.
SERVESTATIC_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- Database -------------------------------------------------------------------------------------

DATABASES = {"default": database(env, STATE_DIR, production=PRODUCTION)}
# Of the server, on one port. SQLite has one writer, which more processes would only wait for.
PROCESSES = env.integer(
    "PROCESSES",
    default=len(os.sched_getaffinity(0))
    if PRODUCTION and not DATABASES["default"]["ENGINE"].endswith("sqlite3")
    else 1,
    low=1,
    high=256,
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Cache and Redis ------------------------------------------------------------------------------

REDIS_URL = env.url("REDIS_URL", "redis", "rediss", "unix")
REDIS_SENTINEL_HOSTS = env.addresses("REDIS_SENTINEL_HOSTS", port=26379)
REDIS_MASTER_NAME = env.text("REDIS_MASTER_NAME", default="mymaster")
REDIS_USERNAME = env.text("REDIS_USERNAME") or None
REDIS_PASSWORD = env.text("REDIS_PASSWORD") or None
REDIS_SENTINEL_PASSWORD = env.text("REDIS_SENTINEL_PASSWORD") or None
REDIS_DB = env.integer("REDIS_DB", default=0)
REDIS_SOCKET_TIMEOUT = env.seconds("REDIS_SOCKET_TIMEOUT", default=0.5, low=0.01)
REDIS_MAX_CONNECTIONS = env.integer("REDIS_MAX_CONNECTIONS", default=500, low=1)


def cache() -> dict[str, Any]:
    """Build ``CACHES['default']``: Sentinel, one Redis, or this process's memory."""
    if not (REDIS_URL or REDIS_SENTINEL_HOSTS):
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    options: dict[str, Any] = {
        # DefaultClient speaks to the primary only. SentinelClient reads from replicas, where a value
        # just written may be missing.
        "CLIENT_CLASS": "django_redis.client.DefaultClient",
        "SOCKET_TIMEOUT": REDIS_SOCKET_TIMEOUT,
        "SOCKET_CONNECT_TIMEOUT": REDIS_SOCKET_TIMEOUT,
        "CONNECTION_FACTORY": "aiservice.redis.SingleFactory",
        "CONNECTION_POOL_KWARGS": {"max_connections": REDIS_MAX_CONNECTIONS},
    }
    location = REDIS_URL
    if REDIS_SENTINEL_HOSTS:
        location = f"redis://{REDIS_MASTER_NAME}/{REDIS_DB}"
        options |= {
            "CONNECTION_FACTORY": "aiservice.redis.SharedSentinelFactory",
            "SENTINELS": REDIS_SENTINEL_HOSTS,
            # They are asked one after the other, so each quickly.
            "SENTINEL_KWARGS": {
                "password": REDIS_SENTINEL_PASSWORD,
                "socket_timeout": REDIS_SOCKET_TIMEOUT / 2,
                "socket_connect_timeout": REDIS_SOCKET_TIMEOUT / 2,
            },
            "USERNAME": REDIS_USERNAME,
            "PASSWORD": REDIS_PASSWORD,
        }
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": location,
        "KEY_PREFIX": "aiservice",
        "OPTIONS": options,
    }


CACHES = {"default": cache()}

# --- API ------------------------------------------------------------------------------------------

REST_FRAMEWORK = rest_framework(proxies=TRUSTED_PROXIES)
SPECTACULAR_SETTINGS = spectacular(version=VERSION)

# Requests per minute for one API key from one address, and how many may arrive at once: for each class
# of endpoints, where it has no rate of its own.
RATE_LIMIT_PER_MINUTE = env.integer("RATE_LIMIT_PER_MINUTE", default=60)
RATE_LIMIT_BURST = env.integer("RATE_LIMIT_BURST", default=20, low=1)
RATE_LIMITS = {
    "chat": env.rate("RATE_LIMIT_CHAT"),
    "validation": env.rate("RATE_LIMIT_VALIDATION"),
    "batch": env.rate("RATE_LIMIT_BATCH"),
    "reads": env.rate("RATE_LIMIT_READS"),  # by default five times the general rate
    # Of one address that sends wrong keys, or none.
    "unauthenticated": env.rate("RATE_LIMIT_UNAUTHENTICATED", default=(20, 20)),
    "logins": (AXES_FAILURE_LIMIT, AXES_FAILURE_LIMIT),
}

DATA_UPLOAD_MAX_MEMORY_SIZE = env.integer("MAX_UPLOAD_BYTES", default=5 * 1024 * 1024, low=1)
FILE_UPLOAD_MAX_MEMORY_SIZE = DATA_UPLOAD_MAX_MEMORY_SIZE

# --- Tax documents --------------------------------------------------------------------------------

# Public keys that sign folio authorisations (CAF), as IDK:/path.pem, beside the SII's own 100 and 300.
DTE_CAF_AUTHORITY_KEYS = env.words("DTE_CAF_AUTHORITY_KEYS")
# PEM file with the certificate authorities whose signers are trusted; empty: judged by name only.
DTE_TRUSTED_CERTIFICATES = env.text("DTE_TRUSTED_CERTIFICATES")
# The SII environment that documents are meant for (produccion, certificacion); empty: not judged.
DTE_ENVIRONMENT = env.choice("DTE_ENVIRONMENT", "produccion", "certificacion")
# Days that validations are kept, unless the policy of an API key says otherwise.
DTE_RETENTION_DAYS = env.integer("DTE_RETENTION_DAYS", default=365, low=1)

# --- Claude ---------------------------------------------------------------------------------------

ANTHROPIC_API_KEY = env.text("ANTHROPIC_API_KEY")  # empty: the service answers offline
ANTHROPIC_BASE_URL = env.url(
    "ANTHROPIC_BASE_URL", "https", "http", default="https://api.anthropic.com"
)
ANTHROPIC_MODEL = env.text("ANTHROPIC_MODEL", default="claude-sonnet-5-5")
# Asked in this order while the model itself cannot be.
ANTHROPIC_FALLBACK_MODELS = env.words("ANTHROPIC_FALLBACK_MODELS")
# Seconds until the answer must have begun; then it is given without the model.
ANTHROPIC_FIRST_EVENT_TIMEOUT = env.seconds("ANTHROPIC_FIRST_EVENT_TIMEOUT", default=8, low=0.01)
# Seconds without any content, and seconds for one call.
ANTHROPIC_TIMEOUT = env.seconds("ANTHROPIC_TIMEOUT", default=60, low=0.01)
ANTHROPIC_TOTAL_TIMEOUT = env.seconds("ANTHROPIC_TOTAL_TIMEOUT", default=300, low=0.01)
# Further attempts of a call that has not begun to answer.
ANTHROPIC_RETRIES = env.integer("ANTHROPIC_RETRIES", default=2)
# "us" keeps inference in the United States, for a tenth more.
ANTHROPIC_INFERENCE_GEO = env.choice("ANTHROPIC_INFERENCE_GEO", "us", "global")
# How long Anthropic keeps the stable prefix of a prompt: "5m", or "1h" at a dearer write.
PROMPT_CACHE_TTL = env.choice("PROMPT_CACHE_TTL", "5m", "1h", default="5m")
# Consecutive failures of the provider that open the breaker, and the seconds it then stays open.
BREAKER_FAILURES = env.integer("BREAKER_FAILURES", default=5, low=1)
BREAKER_SECONDS = env.seconds("BREAKER_SECONDS", default=30)

# --- Chat -----------------------------------------------------------------------------------------

# How long an answer goes on that nobody reads any more, so that a reload finds it; 0: not at all.
CHAT_GRACE_SECONDS = env.seconds("CHAT_GRACE_SECONDS", default=20)
# Days after which `purge_conversations` erases a conversation in which nothing was said.
CHAT_RETENTION_DAYS = env.integer("CHAT_RETENTION_DAYS", default=365, low=1)
# How long a visitor of another site may use the token that its server got for him.
CHAT_TOKEN_SECONDS = env.seconds("CHAT_TOKEN_SECONDS", default=3600, low=1)
# What examines a file attached to a question: (key, file name, text) -> the answer of the validation.
CHAT_EXAMINE = "aiservice.attachments.examine"

# --- Money ----------------------------------------------------------------------------------------

# One request may not ask for more than this, whatever its budget.
MAX_TOKENS_PER_REQUEST = env.integer("MAX_TOKENS_PER_REQUEST", default=100_000, low=1)
MAX_ESTIMATED_COST_PER_REQUEST = env.dollars("MAX_ESTIMATED_COST_PER_REQUEST", default="1.00")
# Budgets where the admin has set none: each key's own, and all keys together.
BUDGET_KEY_DAY_USD = env.dollars("BUDGET_KEY_DAY_USD", default="10")
BUDGET_KEY_MONTH_USD = env.dollars("BUDGET_KEY_MONTH_USD", default="100")
BUDGET_GLOBAL_DAY_USD = env.dollars("BUDGET_GLOBAL_DAY_USD", default="50")
BUDGET_GLOBAL_MONTH_USD = env.dollars("BUDGET_GLOBAL_MONTH_USD", default="500")
# How long a call may wait for money that other calls hold, most of which they give back.
BUDGET_WAIT_SECONDS = env.seconds("BUDGET_WAIT_SECONDS", default=5)
# Who is told of a budget that is nearly used up, and of one that is.
BUDGET_WEBHOOK_URL = env.url("BUDGET_WEBHOOK_URL", "https", "http")
BUDGET_WEBHOOK_SECRET = env.text("BUDGET_WEBHOOK_SECRET")
BUDGET_EMAILS = env.words("BUDGET_EMAILS")
if BUDGET_WEBHOOK_URL and not BUDGET_WEBHOOK_SECRET:
    raise ImproperlyConfigured("BUDGET_WEBHOOK_URL needs BUDGET_WEBHOOK_SECRET.")
# Pesos for a dollar: with it, the admin shows pesos beside dollars.
CLP_PER_USD = env.dollars("CLP_PER_USD", default="")

# --- Knowledge ------------------------------------------------------------------------------------

# Reorder what was found by meaning, where the optional package is installed (pip extra: semantic).
KNOWLEDGE_SEMANTIC = env.flag("KNOWLEDGE_SEMANTIC", default=True)
# What builds the model's prompt for the admin's 'try a question' page: (question, hits) -> preview.
KNOWLEDGE_PROMPT_PREVIEW = "aiservice.preview.preview"

# What names the sources of rules for the SII monitor: () -> what cites.
KNOWLEDGE_CITATIONS = "dte.rules.citations.citations"

# --- SII monitor ----------------------------------------------------------------------------------

SII_MONITOR_HOSTS = env.words("SII_MONITOR_HOSTS", default=("www.sii.cl",))
# For tests against a server of this machine: http, other ports and private addresses are let through.
SII_MONITOR_LOCAL = env.flag("SII_MONITOR_LOCAL", default=False)
SII_MONITOR_PAUSE = env.seconds("SII_MONITOR_PAUSE", default=1)
SII_MONITOR_TIMEOUT = env.seconds("SII_MONITOR_TIMEOUT", default=20, low=0.1)
SII_MONITOR_MAX_BYTES = env.integer("SII_MONITOR_MAX_BYTES", default=10 * 1024 * 1024, low=1)
SII_MONITOR_USER_AGENT = env.text("SII_MONITOR_USER_AGENT", default="aiservice-sii-monitor/1.0")
SII_MONITOR_WEBHOOK_URL = env.url("SII_MONITOR_WEBHOOK_URL", "https", "http")
SII_MONITOR_WEBHOOK_SECRET = env.text("SII_MONITOR_WEBHOOK_SECRET")
SII_MONITOR_EMAILS = env.words("SII_MONITOR_EMAILS")
if SII_MONITOR_WEBHOOK_URL and not SII_MONITOR_WEBHOOK_SECRET:
    raise ImproperlyConfigured("SII_MONITOR_WEBHOOK_URL needs SII_MONITOR_WEBHOOK_SECRET.")

# --- Mail -----------------------------------------------------------------------------------------

vars().update(env.mail("EMAIL_URL"))  # Django's EMAIL_…; printed where it is not set
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default="aiservice@localhost")

# --- Logs -----------------------------------------------------------------------------------------

LOGGING_CONFIG = "aiservice.logs.configure"
LOGGING = logging_config(
    level=env.choice("LOG_LEVEL", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", default="INFO")
)

# Spans go here, over OTLP and HTTP; without it, OpenTelemetry is not even imported (usage/tracing.py).
OTEL_EXPORTER_OTLP_ENDPOINT = env.text("OTEL_EXPORTER_OTLP_ENDPOINT")
