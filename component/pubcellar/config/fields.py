"""The types of the settings: what each kind of value must look like in the file."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from pubcellar.config.endpoints import client_endpoint, listening_endpoint
from pubcellar.config.jids import bare_jid, domain_jid, service_glob
from pubcellar.config.units import (
    DURATION_FORM,
    SIZE_FORM,
    format_size,
    parse_duration,
    parse_size,
)

LARGEST_COUNT = 1_000_000_000


def _duration(value: Any) -> Any:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"a duration is {DURATION_FORM}")


def _longer_than_nothing(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


def _size(value: Any) -> Any:
    if isinstance(value, str):
        return parse_size(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"a size is {SIZE_FORM}")


def size_between(least: int, most: int) -> AfterValidator:
    """Return a validator for sizes in bytes, both ends included."""

    def check(value: int) -> int:
        if not least <= value <= most:
            raise ValueError(f"must be from {format_size(least)} to {format_size(most)}")
        return value

    return AfterValidator(check)


def _client_endpoint(value: str) -> str:
    client_endpoint(value)
    return value


def _listening_endpoint(value: str) -> str:
    listening_endpoint(value)
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty: give it a value, or leave the key out")
    return value


def _not_none_at_all(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError('must name at least one service, such as ["pubsub.example.org"]')
    return value


def _not_nobody(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError('lets nobody in: write ["*"] for everybody, or such as ["*@example.org"]')
    return value


Duration = Annotated[timedelta, AfterValidator(_longer_than_nothing), BeforeValidator(_duration)]
DurationOrNone = Annotated[timedelta, BeforeValidator(_duration)]
"""A duration for which "0s" means: not at all."""
Size = Annotated[int, BeforeValidator(_size)]
Count = Annotated[int, Field(strict=True, ge=1, le=LARGEST_COUNT)]
Switch = Annotated[bool, Field(strict=True)]
Name = Annotated[str, AfterValidator(_not_blank)]
DomainJID = Annotated[str, AfterValidator(domain_jid)]
BareJID = Annotated[str, AfterValidator(bare_jid)]
ServiceGlobs = Annotated[
    tuple[Annotated[str, AfterValidator(service_glob)], ...], AfterValidator(_not_none_at_all)
]
RequesterGlobs = Annotated[
    tuple[Annotated[str, AfterValidator(service_glob)], ...], AfterValidator(_not_nobody)
]
ClientEndpoint = Annotated[str, AfterValidator(_client_endpoint)]
ListeningEndpoint = Annotated[str, AfterValidator(_listening_endpoint)]
