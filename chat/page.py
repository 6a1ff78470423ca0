"""The web page for people: one template, whose modules talk to the API like any other client."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

# Everything the page needs is served by this host, and nothing in it is inline. Trusted Types turn
# every place where text could become markup or code (innerHTML, eval, …) into an error, so text of
# the model or of a document stays text. https://www.w3.org/TR/CSP3/, https://www.w3.org/TR/trusted-types/
NONE: Final = "'none'"
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)


def policy() -> str:
    """Return the page's policy: in a frame only on the sites that are allowed."""
    return (
        f"{CONTENT_SECURITY_POLICY}; frame-ancestors {' '.join(settings.ALLOWED_ORIGINS) or NONE}"
    )


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Serve the page. It holds no data: the visitor's API key decides what it may ask for."""
    response = HttpResponse(render_to_string("chat/page.html"))
    response.headers["Content-Security-Policy"] = policy()
    # The older header knows no list; browsers that know the policy do not heed it.
    response.xframe_options_exempt = bool(settings.ALLOWED_ORIGINS)
    response.headers["Cache-Control"] = "no-cache"
    return response
