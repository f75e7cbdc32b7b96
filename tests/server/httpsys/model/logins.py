"""Windows authentication: what HTTP.sys makes of a request's credentials, in a URL group that asks for some.

`Machine.passwords` has the users. Basic credentials are compared with it; of the other schemes there is no handshake: a
user's name in place of the token logs in. Whoever receives the request gets a handle on a token, to be closed.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from attrs import define

from hostler.server.httpsys._bindings import ffi

if TYPE_CHECKING:
    from tests.server.httpsys.model.exchange import Request

_AUTHENTICATION, _EXTENDED = 0, 8
_SCHEMES = {"basic": (1, 1), "digest": (2, 2), "ntlm": (4, 3), "negotiate": (8, 4), "kerberos": (16, 5)}
"""HTTP_AUTH_ENABLE_... and HTTP_REQUEST_AUTH_TYPE."""

SUCCESS, NOT_AUTHENTICATED, FAILURE = range(3)
_LOGON_DENIED = -2146893044  # SEC_E_LOGON_DENIED, 0x8009030C


@define(eq=False)
class Token:
    """An access token."""

    kind = "token"
    user: str

    def close(self) -> None:
        """Nothing else has it."""


@define
class Login:
    """What became of the credentials."""

    status: int = NOT_AUTHENTICATED
    type: int = 0
    code: int = 0
    user: str | None = None
    package: str = ""


def log_in(request: Request) -> Login | None:
    """Check a request's credentials; None where the URL group asks for none."""
    # source: HTTP_REQUEST_AUTH_INFO: it is there where the group or its session asks for authentication
    schemes = _schemes(request)
    if not schemes:
        return None
    given = next((value for name, value in request.headers if name.lower() == b"authorization"), b"")
    scheme, _, rest = given.decode("latin-1").partition(" ")
    flag, kind = _SCHEMES.get(scheme.lower(), (0, 0))
    # source: HTTP_AUTH_STATUS: not authenticated is who gives no credentials, or those of another scheme
    # guess: malformed ones are a failure, where they may be a 400
    if not flag & schemes:
        return Login()
    user = _user(request, kind, rest.strip())
    # source: HTTP_REQUEST_AUTH_INFO: SecStatus says why a login failed, as SSPI does
    if user is None:
        return Login(FAILURE, kind, _LOGON_DENIED)
    return Login(SUCCESS, kind, 0, user, "" if kind == 1 else scheme)


def _schemes(request: Request) -> int:
    group = request.group
    if group is None:
        return 0
    # guess: what the URL group sets counts, else what its session sets, which groups inherit
    for properties in (group.properties, group.session.properties):
        for number in (_EXTENDED, _AUTHENTICATION):
            if (data := properties.get(number)) is not None:
                return int(ffi.from_buffer("HTTP_SERVER_AUTHENTICATION_INFO *", data).AuthSchemes)
    return 0


def _user(request: Request, kind: int, credentials: str) -> str | None:
    passwords = request.machine.passwords
    if kind != 1:
        return credentials if credentials in passwords else None
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user if passwords.get(user) == password else None
