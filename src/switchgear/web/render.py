"""Templates: one environment, escaped throughout, and what every page is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from switchgear.web import format as formats
from switchgear.web import words
from switchgear.web.assets import Assets
from switchgear.web.auth.door import who
from switchgear.web.deps import WebDeps
from switchgear.web.theme import THEMES, theme_of

__all__ = ["Pages"]

_TEMPLATES: Final = Path(__file__).parent / "templates"
_NAV: Final = (
    ("/", "Overview"),
    ("/services", "Services"),
    ("/budgets", "Budgets"),
    ("/usage", "Usage"),
    ("/calls", "Calls"),
    ("/runs", "Runs"),
    ("/alerts", "Alerts"),
)

_OPERATOR_NAV: Final = (
    ("/-/doctor", "Doctor", "What could be wrong, and what to do about it"),
    ("/-/config", "Configuration", "Every value in force and where it is from"),
    ("/-/prices", "Prices", "The price list, and models without a price"),
    ("/-/keys", "Keys", "Who may use the gateway, and for what"),
    ("/-/audit", "Audit trail", "Who changed what, when and why"),
    ("/-/versions", "Versions", "What this process is made of"),
    ("/-/patterns", "Patterns", "Every widget in every state"),
)


class Pages:
    """Renders templates; made once for an app."""

    def __init__(self, deps: WebDeps) -> None:
        self._deps = deps
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            usd=formats.usd,
            nano=formats.nano,
            tokens=formats.tokens,
            per_cent=formats.per_cent,
            share=formats.share,
            milliseconds=formats.milliseconds,
            micros=formats.micros_as_ms,
            counted=formats.counted,
            duration=formats.duration,
            breaker_badge=words.breaker_badge,
            breaker_story=words.breaker_story,
            outcome_badge=words.outcome_badge,
            budget_title=words.budget_title,
            rule_words=words.rule_words,
        )
        self._environment.globals.update(
            asset=Assets().url,
            nav=_NAV,
            operator_nav=_OPERATOR_NAV,
            themes=THEMES,
            version=deps.version,
            health_words=words.HEALTH_WORDS,
            budget_words=words.BUDGET_WORDS,
            application_words=words.APPLICATION_WORDS,
            severity_words=words.SEVERITY_WORDS,
            run_words=words.RUN_WORDS,
            layer_words=words.LAYER_WORDS,
        )
        self._environment.globals["parts"] = self._environment.get_template("parts.html").module

    def page(
        self,
        request: Request,
        template: str,
        *,
        http_status: int = 200,
        zone: ZoneInfo | None = None,
        **context: object,
    ) -> Response:
        """Return the page made from *template*, with the reader's theme and the time.

        *zone*: where its times are read, which the reader may change; None: where all are, and he may not.
        """
        return self._response(
            template,
            http_status,
            {
                "path": request.url.path,
                "user": who(request),
                "theme": theme_of(request),
                "query": str(request.query_params),
                "other_zone": None if zone is None else self._other_zone(request, zone),
                **context,
            },
            zone,
        )

    def fragment(self, template: str, *, zone: ZoneInfo | None = None, **context: object) -> Response:
        """Return a part of a page, for a poller."""
        return self._response(template, 200, context, zone)

    def text(self, template: str, *, zone: ZoneInfo | None = None, **context: object) -> str:
        """Return what *template* says, for a stream."""
        times = formats.Times(zone or self._deps.zone, self._deps.now())
        return self._environment.get_template(template).render({"times": times, **context})

    def error(self, request: Request, status: int, title: str, detail: str, valid: Sequence[str] = ()) -> Response:
        """Return the page that says what is wrong, what would be valid, and where to go from there."""
        return self.page(
            request,
            "error.html",
            http_status=status,
            status=status,
            title=title,
            detail=detail,
            valid=valid,
            back=_way_back(request.url.path, asked=bool(request.url.query)),
            health=None,
        )

    def _response(
        self, template: str, status: int, context: dict[str, object], zone: ZoneInfo | None = None
    ) -> Response:
        return HTMLResponse(self.text(template, zone=zone, **context), status_code=status)

    def _other_zone(self, request: Request, zone: ZoneInfo) -> tuple[str, str] | None:
        """Return the name and the address of the same page in UTC; read in another zone, in the reporting zone."""
        usual = self._deps.zone
        other = usual if zone.key != usual.key else ZoneInfo("UTC")
        if other.key == zone.key:
            return None
        query = [(key, value) for key, value in request.query_params.multi_items() if key != "tz"]
        query += [] if other.key == usual.key else [("tz", other.key)]
        return other.key, request.url.path + ("?" + urlencode(query) if query else "")


def _way_back(path: str, *, asked: bool) -> tuple[str, str] | None:
    """Return the address and the words of the page to go to: the same without its query, or the list that it is of."""
    if path == "/":
        return None
    for address, word in (*_NAV[1:], *((one[0], one[1]) for one in _OPERATOR_NAV)):
        if path == address and asked:
            return address, f"{word}, without any filter"
        if path.startswith(f"{address}/"):
            return address, word
    return None
