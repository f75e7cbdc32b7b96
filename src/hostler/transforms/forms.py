"""Every kind of transform that a document can have, with its keys (YARP's transform factories)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import evolve

from hostler.errors import ProtocolError
from hostler.http.encode import check_name
from hostler.http.fields import TOKEN
from hostler.http.target import check_path, parse_host
from hostler.routing.pattern import TemplateError, read_pattern
from hostler.transforms.contexts import MANAGED
from hostler.transforms.forwarded import X_FORWARDED, Forwarded, ForwardedAction, NodeFormat, XForwarded
from hostler.transforms.headers import (
    AppendRequestHeader,
    AppendResponseHeader,
    ClientCertificate,
    OriginalHost,
    RemoveRequestHeader,
    RemoveResponseHeader,
    ResponseCondition,
    SetHost,
    SetRequestHeader,
    SetResponseHeader,
)
from hostler.transforms.making import Form, TransformError
from hostler.transforms.path import (
    AppendQuery,
    ChangeMethod,
    PathPattern,
    PathPrefix,
    PathRemovePrefix,
    PathSet,
    RemoveQuery,
    RouteValue,
    SetQuery,
    Static,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.transforms.compiled import Copied
    from hostler.transforms.making import Arguments, Making
    from hostler.transforms.path import Value

__all__ = ["FORMS"]

Choice = TypeVar("Choice", bound=enum.Enum)


# -- values ---------------------------------------------------------------------------------------------------------


def _boolean(arguments: Arguments, key: str) -> bool:
    value = {"true": True, "false": False}.get(arguments[key].strip().lower())
    if value is None:
        raise TransformError(key, f'"{arguments[key]}" is neither true nor false; write one of them')
    return value


def _choice(arguments: Arguments, key: str, default: Choice) -> Choice:
    """Return the member of the default's enumeration that a key names; the default where it is missing."""
    text = arguments.get(key)
    if text is None:
        return default
    members = {str(member.value).lower(): member for member in type(default)}
    found = members.get(text.strip().lower())
    if found is None:
        names = ", ".join(str(member.value) for member in type(default))
        raise TransformError(key, f'unknown value "{text}"; use one of {names}')
    return found


def _path(arguments: Arguments, key: str) -> str:
    """Return a path of the configuration, escaped."""
    path = written(arguments[key])
    try:
        check_path(path.encode("ascii"))
    except ProtocolError as error:
        raise TransformError(key, f"{error}; correct it") from error
    return path


def _field(arguments: Arguments, key: str, *, settable: bool = True) -> bytes:
    """Return the name of a header."""
    text = arguments[key].strip()
    name = text.encode("utf-8")
    try:
        check_name(name)
    except ProtocolError:
        raise TransformError(key, f'"{text}" is not a header name; correct it') from None
    if settable and name.lower() in MANAGED:
        raise TransformError(
            key,
            f"{text} frames the message or manages its connection, which is the proxy's; remove this transform",
        )
    return name


def _value(arguments: Arguments, key: str) -> str:
    """Return the value of a header."""
    text = arguments[key]
    if any(character in text for character in "\r\n\0"):
        raise TransformError(key, "a header's value cannot hold CR, LF or NUL; remove it")
    return text


def _names(arguments: Arguments, key: str) -> frozenset[bytes]:
    """Return the names in a list with semicolons, in lower case."""
    names = [name.strip() for name in arguments[key].split(";")]
    return frozenset(_field({key: name}, key, settable=False).lower() for name in names if name)


def _text(arguments: Arguments, key: str) -> str:
    """Return a text that must not be empty."""
    if not arguments[key]:
        raise TransformError(key, f"{key} is empty; name one, or remove the transform")
    return arguments[key]


def _operation(arguments: Arguments, make: Callable[[str], Value]) -> tuple[bool, Value]:
    """Return whether a transform appends, and what."""
    key = "Append" if "Append" in arguments else "Set"
    return key == "Append", make(_value(arguments, key))


# -- requests -------------------------------------------------------------------------------------------------------


def _path_prefix(making: Making, arguments: Arguments) -> None:
    making.request.append(PathPrefix(_path(arguments, "PathPrefix")))


def _path_remove_prefix(making: Making, arguments: Arguments) -> None:
    _path(arguments, "PathRemovePrefix")
    prefix = arguments["PathRemovePrefix"]
    making.request.append(PathRemovePrefix(prefix if prefix.startswith("/") else "/" + prefix))


def _path_set(making: Making, arguments: Arguments) -> None:
    making.request.append(PathSet(_path(arguments, "PathSet")))


def _path_pattern(making: Making, arguments: Arguments) -> None:
    text = arguments["PathPattern"]
    try:
        segments = read_pattern(text)
    except TemplateError as error:
        raise TransformError("PathPattern", f"{error}; correct it") from error
    if any(parts in {(".",), ("..",)} for parts in segments):
        raise TransformError("PathPattern", f'"{text}" has dot segments; write the path without them')
    making.request.append(PathPattern(segments))


def _query(key: str, make: Callable[[str], Value]) -> Callable[[Making, Arguments], None]:
    def add(making: Making, arguments: Arguments) -> None:
        name = _text(arguments, key)
        appends, value = _operation(arguments, make)
        making.request.append(AppendQuery(name, value) if appends else SetQuery(name, value))

    return add


def _query_remove(making: Making, arguments: Arguments) -> None:
    making.request.append(RemoveQuery(_text(arguments, "QueryRemoveParameter")))


def _method(making: Making, arguments: Arguments) -> None:
    old, new = (_a_method(arguments, key) for key in ("HttpMethodChange", "Set"))
    if new != old and new in {"HEAD", "CONNECT"}:
        what = "is answered without the body that the client waits for" if new == "HEAD" else "opens a tunnel"
        raise TransformError("Set", f"{new} {what}; set another method")
    making.request.append(ChangeMethod(old, new))


def _a_method(arguments: Arguments, key: str) -> str:
    method = arguments[key].strip().upper()
    if not method or not method.isascii() or method.encode("ascii").translate(None, TOKEN):
        raise TransformError(key, f'"{arguments[key]}" is not a method; write one, such as GET')
    return method


def _request_header(key: str, make: Callable[[str], Value]) -> Callable[[Making, Arguments], None]:
    def add(making: Making, arguments: Arguments) -> None:
        name = _field(arguments, key)
        appends, value = _operation(arguments, make)
        if name.lower() != b"host":
            making.request.append(
                AppendRequestHeader(name, value) if appends else SetRequestHeader(name, value)
            )
            return
        if appends:
            raise TransformError("Append", "a request has one Host; write Set")
        if isinstance(value, Static):
            _check_host(value.value)
        making.request.append(SetHost(value))

    return add


def _check_host(host: str) -> None:
    try:
        usable = bool(parse_host(host.encode("ascii"))[0])
    except (ProtocolError, UnicodeEncodeError):
        usable = False
    if not usable:
        raise TransformError("Set", f'"{host}" is not a host; write "example.com" or "example.com:8080"')


def _request_header_remove(making: Making, arguments: Arguments) -> None:
    making.request.append(RemoveRequestHeader(_field(arguments, "RequestHeaderRemove", settable=False)))


def _original_host(making: Making, arguments: Arguments) -> None:
    if _boolean(arguments, "RequestHeaderOriginalHost"):
        making.request.append(OriginalHost())


def _client_certificate(making: Making, arguments: Arguments) -> None:
    making.request.append(ClientCertificate(_field(arguments, "ClientCert")))


def _x_forwarded(making: Making, arguments: Arguments) -> None:
    default = _choice(arguments, "X-Forwarded", ForwardedAction.SET)
    prefix = arguments.get("HeaderPrefix", "X-Forwarded-")
    actions = {of: _choice(arguments, of, default) for of in X_FORWARDED}
    making.default_forwarders = False
    for of, action in actions.items():
        name = _field({"HeaderPrefix": prefix + of}, "HeaderPrefix")
        making.request.append(XForwarded(name, of, action))
    if set(actions.values()) != {ForwardedAction.OFF}:
        making.request.append(Forwarded(ForwardedAction.REMOVE))


def _forwarded(making: Making, arguments: Arguments) -> None:
    parts = arguments["Forwarded"].lower().replace(",", " ").split()
    unknown = [part for part in parts if part not in {"for", "by", "proto", "host"}]
    if unknown or not parts:
        shown = f'unknown part "{unknown[0]}"' if unknown else "no part is named"
        raise TransformError("Forwarded", f"{shown}; use some of for, by, proto, host")
    action = _choice(arguments, "Action", ForwardedAction.SET)
    by, of = (_choice(arguments, key, NodeFormat.RANDOM) for key in ("ByFormat", "ForFormat"))
    making.default_forwarders = False
    if action is ForwardedAction.OFF:
        return
    making.request.append(
        Forwarded(
            action,
            "proto" in parts,
            "host" in parts,
            of if "for" in parts else NodeFormat.NONE,
            by if "by" in parts else NodeFormat.NONE,
        )
    )
    making.request += [
        XForwarded(f"X-Forwarded-{name}".encode(), name, ForwardedAction.REMOVE) for name in X_FORWARDED
    ]


# -- what is copied -------------------------------------------------------------------------------------------------


def _copy(key: str, of: str) -> Callable[[Making, Arguments], None]:
    def add(making: Making, arguments: Arguments) -> None:
        copied: Copied = getattr(making, of)
        setattr(making, of, evolve(copied, all=_boolean(arguments, key)))

    return add


def _allow(key: str, of: str) -> Callable[[Making, Arguments], None]:
    def add(making: Making, arguments: Arguments) -> None:
        copied: Copied = getattr(making, of)
        names = _names(arguments, key)
        setattr(making, of, evolve(copied, all=False, allowed=copied.allowed | names))
        if key == "RequestHeadersAllowed" and b"host" in names:
            making.request.append(OriginalHost())

    return add


# -- responses ------------------------------------------------------------------------------------------------------


def _response(key: str, of: str) -> Callable[[Making, Arguments], None]:
    def add(making: Making, arguments: Arguments) -> None:
        name = _field(arguments, key)
        appends, value = _operation(arguments, Static)
        when = _choice(arguments, "When", ResponseCondition.SUCCESS)
        assert isinstance(value, Static)
        encoded = value.value.encode("utf-8", "surrogateescape")
        kind = AppendResponseHeader if appends else SetResponseHeader
        getattr(making, of).append(kind(name, encoded, when))
        if of == "response" and appends and when is ResponseCondition.ALWAYS:
            making.added_when_delegated.append((name, encoded))

    return add


def _response_remove(key: str, of: str) -> Callable[[Making, Arguments], None]:
    def add(making: Making, arguments: Arguments) -> None:
        when = _choice(arguments, "When", ResponseCondition.SUCCESS)
        getattr(making, of).append(RemoveResponseHeader(_field(arguments, key, settable=False), when))

    return add


_SETS: Final = ("Set", "Append")
_FORMATS: Final = ("ForFormat", "ByFormat", "Action")

FORMS: Final[tuple[Form, ...]] = (
    Form("PathPrefix", _path_prefix),
    Form("PathRemovePrefix", _path_remove_prefix),
    Form("PathSet", _path_set),
    Form("PathPattern", _path_pattern),
    Form("QueryValueParameter", _query("QueryValueParameter", Static), _SETS),
    Form("QueryRouteParameter", _query("QueryRouteParameter", RouteValue), _SETS),
    Form("QueryRemoveParameter", _query_remove),
    Form("HttpMethodChange", _method, ("Set",)),
    Form("RequestHeadersCopy", _copy("RequestHeadersCopy", "request_headers")),
    Form("RequestHeaderOriginalHost", _original_host),
    Form("RequestHeader", _request_header("RequestHeader", Static), _SETS),
    Form("RequestHeaderRouteValue", _request_header("RequestHeaderRouteValue", RouteValue), _SETS),
    Form("RequestHeaderRemove", _request_header_remove),
    Form("RequestHeadersAllowed", _allow("RequestHeadersAllowed", "request_headers")),
    Form("X-Forwarded", _x_forwarded, optional=(*X_FORWARDED, "HeaderPrefix")),
    Form("Forwarded", _forwarded, optional=_FORMATS),
    Form("ClientCert", _client_certificate),
    Form("ResponseHeadersCopy", _copy("ResponseHeadersCopy", "response_headers")),
    Form("ResponseTrailersCopy", _copy("ResponseTrailersCopy", "response_trailers")),
    Form("ResponseHeader", _response("ResponseHeader", "response"), _SETS, ("When",)),
    Form("ResponseHeaderRemove", _response_remove("ResponseHeaderRemove", "response"), (), ("When",)),
    Form("ResponseHeadersAllowed", _allow("ResponseHeadersAllowed", "response_headers")),
    Form("ResponseTrailer", _response("ResponseTrailer", "trailers"), _SETS, ("When",)),
    Form("ResponseTrailerRemove", _response_remove("ResponseTrailerRemove", "trailers"), (), ("When",)),
    Form("ResponseTrailersAllowed", _allow("ResponseTrailersAllowed", "response_trailers")),
)
"""In YARP's order, which decides where a mapping has keys of two of them."""
