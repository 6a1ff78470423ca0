"""The web page for people: one template, whose modules talk to the API like any other client."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

# Everything the page needs is served by this host, and nothing in it is inline. Trusted Types turn
# every place where text could become markup or code (innerHTML, eval, …) into an error, so text of
# the model or of a document stays text. https://www.w3.org/TR/CSP3/, https://www.w3.org/TR/trusted-types/
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Serve the page. It holds no data: the visitor's API key decides what it may ask for."""
    response = HttpResponse(render_to_string("chat/page.html"))
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Cache-Control"] = "no-cache"
    return response
