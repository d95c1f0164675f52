"""The shape of the configuration: frozen, every key known, every unit explicit."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from switchgear.config.alerting import AlertsConfig
from switchgear.config.applications import ApplicationsConfig
from switchgear.config.jobs import JobsConfig
from switchgear.config.running import RunnerConfig
from switchgear.config.telemetry import TelemetryConfig
from switchgear.config.units import Duration, Rule, Usd, Window, format_duration, parse_duration

__all__ = [
    "CALENDAR_PERIODS",
    "BreakerConfig",
    "BudgetConfig",
    "Config",
    "Kind",
    "LedgerConfig",
    "LimitsConfig",
    "RetryConfig",
    "RouteConfig",
    "ServerConfig",
    "ServiceConfig",
    "StateConfig",
]

Positive = Annotated[StrictInt, Field(gt=0)]
Kind = StrictStr
"""``openai``, ``anthropic``, ``http``, or the name of an entry point among ``switchgear.dialects``."""
CALENDAR_PERIODS: Final = ("total", "hour", "day", "week", "month")


def _period(value: object) -> str:
    if value in CALENDAR_PERIODS:
        return str(value)
    try:
        return format_duration(parse_duration(value))
    except ValueError:
        msg = f'a period is one of {", ".join(CALENDAR_PERIODS)}, or a rolling duration such as "24h", not {value!r}'
        raise ValueError(msg) from None


Period = Annotated[str, BeforeValidator(_period)]
"""``total``, a calendar ``hour``, ``day``, ``week`` or ``month``, or a rolling duration such as ``24h``."""

Share = Annotated[StrictFloat | StrictInt, Field(gt=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class ServerConfig(_Section):
    """Where Switchgear listens, in how many processes, how it ends, who may call, and where it cuts days.

    *admin_host*, *admin_port*: where dashboard and API are, if not where the gateway is. *users_file*: who
    may sign in; None: nobody is asked to. *hosts*: names it answers to besides loopback ones.
    """

    host: StrictStr = "127.0.0.1"
    port: Annotated[StrictInt, Field(ge=0, le=65535)] = 8400
    admin_host: StrictStr | None = None
    admin_port: Annotated[StrictInt, Field(ge=0, le=65535)] | None = None
    reporting_timezone: StrictStr = "UTC"
    require_keys: StrictBool = False
    users_file: Annotated[StrictStr, Field(min_length=1)] | None = None
    hosts: tuple[StrictStr, ...] = ()
    workers: Positive = 1
    shutdown_timeout: Duration = Field(default="30s")  # type: ignore[assignment]  # validated into microseconds
    client_timeout: Duration = Field(default="20s")  # type: ignore[assignment]  # validated into microseconds
    max_head_bytes: Annotated[StrictInt, Field(ge=1024)] = 64 * 1024
    max_body_bytes: Positive = 64 * 1024 * 1024

    @property
    def admin(self) -> tuple[str, int] | None:
        """Host and port of dashboard and API; None: those of the gateway."""
        if self.admin_host is None and self.admin_port is None:
            return None
        return self.admin_host or self.host, self.port if self.admin_port is None else self.admin_port


class LedgerConfig(_Section):
    """Where the durable record lives. *retention_days* is for raw rows; roll-ups stay.

    *on_error*: whether calls go while nothing can be written.
    """

    url: StrictStr = "sqlite:///switchgear.db"
    retention_days: Positive = 90
    durability: Literal["process", "power"] = "process"
    on_error: Literal["refuse", "allow"] = "refuse"


class StateConfig(_Section):
    """Where the live numbers live. The other keys are for numbers that processes share."""

    url: StrictStr = "memory://"
    timeout: Duration = Field(default="250ms")  # type: ignore[assignment]  # validated into microseconds
    lease: Duration = Field(default="30s")  # type: ignore[assignment]  # validated into microseconds
    when_down: Literal["closed", "open", "local"] = "closed"


class LimitsConfig(_Section):
    """Rate limits of a service; None: no such limit.

    *day*: those per day hold for any 24 hours (``rolling``), or for each ``calendar`` day in the
    server's reporting time zone.
    """

    requests_per_minute: Positive | None = None
    requests_per_day: Positive | None = None
    tokens_per_minute: Positive | None = None
    tokens_per_day: Positive | None = None
    concurrent: Positive | None = None
    day: Literal["rolling", "calendar"] = "rolling"


class BreakerConfig(_Section):
    """When a service's circuit opens, for how long, and how it is probed."""

    failure_threshold: Positive = 5
    recovery_timeout: Duration = Field(default="120s")  # type: ignore[assignment]  # validated into microseconds
    failure_rate: Share = 0.5
    minimum_calls: Positive = 10
    window: Window = Field(default="60s")  # type: ignore[assignment]  # validated into microseconds
    slow_call: Duration | None = None
    slow_rate: Share = 0.8
    probes: Positive = 1
    success_threshold: Positive = 1
    probe_lease: Duration = Field(default="60s")  # type: ignore[assignment]  # validated into microseconds
    backoff: Annotated[StrictFloat | StrictInt, Field(ge=1, allow_inf_nan=False)] = 1.0
    max_recovery_timeout: Duration = Field(default="1h")  # type: ignore[assignment]  # validated into microseconds
    jitter: Annotated[StrictFloat | StrictInt, Field(ge=0, le=1)] = 0.0


class RetryConfig(_Section):
    """How often and how patiently an attempt is made again."""

    attempts: Positive = 1
    backoff: Duration = Field(default="500ms")  # type: ignore[assignment]  # validated into microseconds
    max_backoff: Duration = Field(default="20s")  # type: ignore[assignment]  # validated into microseconds


class RouteConfig(_Section):
    """What calls to some paths of a service count, in place of what its other calls do."""

    units: dict[StrictStr, Rule] = {}
    units_max: dict[StrictStr, Rule] = {}


class ServiceConfig(_Section):
    """A named upstream.

    *api_key_header*: where its key goes, if not where its *kind* has it. *attribution_from*: what
    in request bodies tells whose a call is. *gateway*: it is another Switchgear, and is told.
    """

    kind: Kind = "http"
    provider: StrictStr | None = None
    base_url: StrictStr | None = None
    ca_file: Annotated[StrictStr, Field(min_length=1)] | None = None
    max_connections: Positive = 1024
    api_key_env: StrictStr | None = None
    api_key_file: StrictStr | None = None
    api_key_header: StrictStr | None = None
    attribution_from: tuple[Literal["openai_metadata", "anthropic_user_id"], ...] = ()
    gateway: StrictBool = False
    critical: StrictBool = False
    max_wait: Duration = Field(default="30s")  # type: ignore[assignment]  # validated into microseconds
    timeout: Duration = Field(default="10m")  # type: ignore[assignment]  # validated into microseconds
    connect_timeout: Duration = Field(default="10s")  # type: ignore[assignment]  # validated into microseconds
    first_token_timeout: Duration | None = None
    stall_timeout: Duration | None = None
    limits: LimitsConfig = LimitsConfig()
    shadow_limits: LimitsConfig = LimitsConfig()
    breaker: BreakerConfig = BreakerConfig()
    retry: RetryConfig = RetryConfig(attempts=1)
    fallback: tuple[StrictStr, ...] = ()
    unpriced: Literal["refuse", "allow"] | None = None
    max_output_tokens: Positive | None = None
    ask_usage: StrictBool | None = None
    prices: dict[StrictStr, dict[StrictStr, Usd]] = {}
    units: dict[StrictStr, Rule] = {}
    units_max: dict[StrictStr, Rule] = {}
    routes: dict[StrictStr, RouteConfig] = {}

    @property
    def unpriced_policy(self) -> Literal["refuse", "allow"]:
        """What happens to a call without a known price: *unpriced*, or else ``allow`` only for http without prices."""
        if self.unpriced is not None:
            return self.unpriced
        return "allow" if self.kind == "http" and not self.prices else "refuse"

    @property
    def asks_usage(self) -> bool:
        """Whether streams are asked for their usage: *ask_usage*, or else unless the upstream is Mistral.

        Mistral answers 422 to the option, and reports usage without it.
        """
        if self.ask_usage is not None:
            return self.ask_usage
        return self.provider != "mistral" and ".mistral.ai" not in (self.base_url or "")


class BudgetConfig(_Section):
    """A limit on money or tokens over a period, for the calls that *match*."""

    name: Annotated[StrictStr, Field(min_length=1)]
    match: dict[StrictStr, StrictStr] = {}
    each: StrictStr | None = None
    limit_usd: Usd | None = None
    limit_tokens: Positive | None = None
    period: Period = "total"
    action: Literal["fail", "warn", "skip", "degrade"] = "fail"
    degrade_to: StrictStr | None = None
    reserve: Literal["worst_case", "expected"] = "worst_case"
    shadow: StrictBool = False
    thresholds: tuple[Share, ...] = (0.75, 0.9, 1.0)


class Config(_Section):
    """Everything that Switchgear is told; made by ``switchgear.config.load`` and never changed."""

    server: ServerConfig = ServerConfig()
    ledger: LedgerConfig = LedgerConfig()
    state: StateConfig = StateConfig()
    services: dict[StrictStr, ServiceConfig] = {}
    budgets: tuple[BudgetConfig, ...] = ()
    alerts: AlertsConfig = AlertsConfig()
    runner: RunnerConfig = RunnerConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    applications: ApplicationsConfig = ApplicationsConfig()
    jobs: JobsConfig = JobsConfig()
