"""The settings, as frozen values called like their tables and keys in the file.

Meaning, unit and default of every key stand in conf/pubcellar.toml, which a test holds equal to
this module. What a value must look like is said in `fields`; what is allowed but unwise, in
`advice`.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pubcellar.config.database_url import database_url
from pubcellar.config.fields import (
    BareJID,
    ClientEndpoint,
    Count,
    DomainJID,
    Duration,
    DurationOrNone,
    ListeningEndpoint,
    Name,
    RequesterGlobs,
    ServiceGlobs,
    Size,
    Switch,
    size_between,
)
from pubcellar.config.jids import is_allowed
from pubcellar.config.units import format_duration, format_size

KIB = 1 << 10
MIB = 1 << 20


def not_shorter(at_most: timedelta, key: str, first: timedelta | None) -> timedelta:
    """Return `at_most` unless it is shorter than what `key` says; then raise ValueError."""
    if first is not None and at_most < first:
        raise ValueError(
            f"is shorter than {key}, {format_duration(first)}: raise this one or lower that one"
        )
    return at_most


class Table(BaseModel):
    """One table of the file: immutable, closed, and checked in its defaults too."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )


class ComponentSettings(Table):
    """`[component]`: who we are, and the server we are a component of (XEP-0114).

    `secret` is the one that was found, wherever it came from; `Settings.secret_source` says where.
    """

    jid: DomainJID = Field(examples=["cache.example.org"])
    server: ClientEndpoint = Field(examples=["tcp:127.0.0.1:5347"])
    secret: SecretStr
    secret_file: Name | None = None
    max_received_bytes: Annotated[Size, size_between(64 * KIB, 1024 * MIB)] = 16 * MIB
    max_received_depth: Annotated[Count, Field(ge=16, le=1000)] = 64
    max_received_elements: Annotated[Count, Field(ge=1000)] = 500_000


class UpstreamSettings(Table):
    """`[upstream]`: the pubsub services behind us, and how they are asked."""

    allow: ServiceGlobs = Field(examples=[["pubsub.example.org"]])
    default: BareJID | None = None
    timeout: Duration = timedelta(seconds=10)
    suspend_after: Annotated[Count, Field(le=1000)] = 3
    probe_after: Duration = timedelta(seconds=1)
    probe_at_most: Duration = timedelta(seconds=30)
    node_list: Literal["per-requester", "shared"] = "per-requester"
    max_requests: Count = 1000
    max_requests_per_requester: Count = 250

    @field_validator("default")
    @classmethod
    def _is_allowed(cls, default: str | None, info: ValidationInfo) -> str | None:
        allow = info.data.get("allow")
        if default is not None and allow is not None and not is_allowed(default, allow):
            raise ValueError('is not matched by [upstream] allow: add it there, or drop "default"')
        return default

    @field_validator("probe_at_most")
    @classmethod
    def _ends_after_it_begins(cls, at_most: timedelta, info: ValidationInfo) -> timedelta:
        return not_shorter(at_most, "[upstream] probe_after", info.data.get("probe_after"))


class ForwardingSettings(Table):
    """`[forwarding]`: in whose name requests are forwarded (XEP-0356)."""

    identity: Literal["auto", "privileged", "alias"] = "auto"
    hosts: tuple[DomainJID, ...] | None = None
    alias_hosts: tuple[DomainJID, ...] = ()


class AccessSettings(Table):
    """`[access]`: who may use the proxy, how much, and what they may be given from the cache."""

    requesters: RequesterGlobs = ("*",)
    exempt: tuple[DomainJID, ...] = ()
    entitlement_max_age: DurationOrNone = timedelta(seconds=60)
    check_open: Switch = False
    max_requests_per_minute: Count = 1200
    max_subscriptions_per_requester: Count = 1000
    gone_after: Duration = timedelta(days=3)


class DatabaseSettings(Table):
    """`[database]`: where the cache is kept; the path of an SQLite file is made absolute."""

    # An URL can hold a password: it is not shown.
    url: str = Field(default="sqlite:///cache.db", repr=False)

    @field_validator("url")
    @classmethod
    def _is_known(cls, url: str, info: ValidationInfo) -> str:
        directory = info.context["directory"] if info.context else None
        return database_url(url, directory)


class CacheSettings(Table):
    """`[cache]`: how fresh, how much, and how hard we try."""

    paging: Literal["xep", "service"] = "xep"
    access_verify_every: Duration = timedelta(seconds=60)
    verify_every: Duration = timedelta(minutes=15)
    compare_every: Duration = timedelta(hours=6)
    service_max_age: Duration = timedelta(minutes=5)
    max_stale: Duration = timedelta(days=1)
    max_age: Duration = timedelta(minutes=5)
    reanalyse_after: Duration = timedelta(days=1)
    forget_after: Duration = timedelta(days=7)
    retry_after: Duration = timedelta(seconds=30)
    retry_at_most: Duration = timedelta(hours=1)
    remember_item_not_found: DurationOrNone = timedelta(seconds=5)
    remember_forbidden: DurationOrNone = timedelta(seconds=5)
    remember_unreachable: DurationOrNone = timedelta(seconds=5)
    remember_timeout: DurationOrNone = timedelta(seconds=10)
    page_size: Annotated[Count, Field(le=10_000)] = 100
    max_synchronisations: Annotated[Count, Field(le=1000)] = 4
    max_synchronisations_per_service: Annotated[Count, Field(le=1000)] = 2
    synchronisation_patience: Duration = timedelta(minutes=5)
    max_nodes: Count = 10_000
    max_database_bytes: Annotated[Size, size_between(1 * MIB, 1024 * 1024 * MIB)] = 1024 * MIB
    max_new_nodes_per_requester: Count = 600
    max_new_nodes_per_service: Count = 6_000
    max_items_per_node: Count = 100_000
    max_stanza_bytes: Annotated[Size, size_between(16 * KIB, 10 * MIB)] = 480 * KIB
    max_item_bytes: Annotated[Size, size_between(1 * KIB, 10 * MIB)] = 256 * KIB
    parser_timeout: Duration = timedelta(seconds=2)

    @field_validator("retry_at_most")
    @classmethod
    def _ends_after_it_begins(cls, at_most: timedelta, info: ValidationInfo) -> timedelta:
        return not_shorter(at_most, "[cache] retry_after", info.data.get("retry_after"))

    @field_validator("max_item_bytes")
    @classmethod
    def _fits_into_a_stanza(cls, max_item_bytes: int, info: ValidationInfo) -> int:
        max_stanza_bytes = info.data.get("max_stanza_bytes")
        if max_stanza_bytes is not None and max_item_bytes > max_stanza_bytes:
            raise ValueError(
                f"is more than [cache] max_stanza_bytes, {format_size(max_stanza_bytes)}: "
                "such an item could never be given out; lower this one or raise that one"
            )
        return max_item_bytes


class AdminSettings(Table):
    """`[admin]`: who may administer the proxy; nothing uses it in this version."""

    jids: tuple[BareJID, ...] = ()


class AnalyserSettings(Table):
    """One `[[analyser]]`: an analyser without code."""

    name: Name = Field(examples=["notes"])
    type: Name = Field(examples=["note"])
    node: Name | None = None
    namespace: Name | None = None
    to_sync: Switch = False
    subtype: Name | None = None

    @field_validator("name")
    @classmethod
    def _normalised(cls, name: str) -> str:
        return name.strip().lower()

    @field_validator("namespace")
    @classmethod
    def _matches_something(cls, namespace: str | None, info: ValidationInfo) -> str | None:
        if namespace is None and info.data.get("node", "unknown") is None:
            raise ValueError(
                "neither node nor namespace is given: write at least one of them, "
                "or the analyser would match nothing"
            )
        return namespace


class HttpSettings(Table):
    """`[http]`: where metrics and health are served; nothing uses it in this version."""

    listen: ListeningEndpoint | None = None


class LogSettings(Table):
    """`[log]`: how much is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Document(Table):
    """The whole file; a table that it leaves out is handed in empty."""

    component: ComponentSettings
    upstream: UpstreamSettings
    forwarding: ForwardingSettings
    access: AccessSettings
    database: DatabaseSettings
    cache: CacheSettings
    admin: AdminSettings
    analyser: tuple[AnalyserSettings, ...] = ()
    http: HttpSettings
    log: LogSettings

    @model_validator(mode="after")
    def _items_can_arrive(self) -> Self:
        if self.cache.max_item_bytes > self.component.max_received_bytes:
            raise ValueError(
                f"[cache] max_item_bytes, {format_size(self.cache.max_item_bytes)}, is more than "
                "[component] max_received_bytes, "
                f"{format_size(self.component.max_received_bytes)}: such an item could never "
                "arrive; lower the first or raise the second"
            )
        return self


class Settings(Document):
    """The file, and what was found out on the way.

    Attributes:
        source: the configuration's file.
        secret_source: where the secret came from, in words; never the secret itself.
        warnings: what is allowed but unwise, one sentence or two each, for people.
    """

    source: Path
    secret_source: str
    warnings: tuple[str, ...] = ()
