"""What HTTP.sys makes of a request's target: the cooked URL, decoded and without dot segments (HTTP_COOKED_URL)."""

from __future__ import annotations

import re

from attrs import frozen

_SLASHES = re.compile(r"[/\\]+")
_HEX = re.compile(rb"%([0-9A-Fa-f]{2})")
_ABSOLUTE = re.compile(r"(?i)https?://([^/?#]*)(.*)", re.DOTALL)


class BadUrlError(Exception):
    """A target that HTTP.sys answers with 400."""


@frozen
class CookedUrl:
    """The parts of HTTP_COOKED_URL."""

    scheme: str
    host: str
    """With its port, as in the URL."""
    path: str
    query: str
    """With its question mark, not decoded."""

    @property
    def full(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}{self.query}"

    @property
    def name(self) -> str:
        """The host without its port, in lower case."""
        host, bracket, _ = self.host.partition("]")
        return (host + bracket if bracket else self.host.partition(":")[0]).lower()


def cook(target: bytes, host: bytes | None, *, tls: bool, port: int) -> CookedUrl:
    """Cook a request's target; raises BadUrlError."""
    scheme = "https" if tls else "http"
    text = target.decode("latin-1")
    if absolute := _ABSOLUTE.fullmatch(text):
        authority, text = absolute[1], absolute[2]
        if not text.startswith("/"):
            # source: ASP.NET's RequestTests: 400 for an absolute target with a query and no path
            # an absolute target without a path may not have a query
            if text:
                raise BadUrlError
            text = "/"
    elif host is None:
        authority = ""
    else:
        authority = host.decode("latin-1")
    # source: ASP.NET's RequestTests: OPTIONS * comes to who has a prefix of all paths
    # guess: it is cooked as a path of one segment
    if text == "*":
        text = "/*"
    if not text.startswith("/"):
        raise BadUrlError
    path, mark, query = text.partition("?")
    decoded = _without_dots(_folded(_decode(path.encode("latin-1"))))
    return CookedUrl(scheme, _with_port(authority, port), decoded, mark + query)


def _with_port(authority: str, port: int) -> str:
    if re.search(r"[\s/\\@?#]", authority):
        raise BadUrlError
    tail = authority.rpartition("]")[2]
    if ":" in tail:
        if not tail.rpartition(":")[2].isdigit():
            raise BadUrlError
        return authority
    # source: HTTP_COOKED_URL: the host has its port in the cooked URL
    # guess: also where the client gave none
    return f"{authority}:{port}"


def _decode(path: bytes) -> str:
    """Decode escapes, once."""
    # source: ASP.NET's RequestTests: an escape that is none is 400
    # guess: so is %u, which PercentUAllowed lets in
    if re.search(rb"%(?![0-9A-Fa-f]{2})", path):
        raise BadUrlError
    decoded = _HEX.sub(lambda match: bytes([int(match[1], 16)]), path)
    try:
        text = decoded.decode()
    except UnicodeDecodeError:
        # source: "Http.sys registry settings for Windows": FavorUTF8, EnableNonUTF8
        text = decoded.decode("latin-1")
    # source: "Http.sys registry settings for Windows": AllowRestrictedChars, U+0000-1F and U+007F-9F
    # source: ASP.NET's RequestTests: U+0080 is taken all the same
    if any(char < " " or char == "\x7f" for char in text):
        raise BadUrlError
    return text


def _folded(path: str) -> str:
    """Have one slash for whatever HTTP.sys takes for slashes."""
    # source: ASP.NET's Request: a cooked URL has "/" for a backslash, for %2F and for several slashes in a row
    # source: ASP.NET's Request: this comes before dot segments are removed ("/base/call//../bat")
    return _SLASHES.sub("/", path)


def _without_dots(path: str) -> str:
    """Take dot segments out (RFC 3986 5.2.4)."""
    # source: RFC 3986 5.2.4
    kept: list[str] = []
    segments = path.split("/")[1:]
    for at, segment in enumerate(segments):
        last = at == len(segments) - 1
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
            continue
        if last:
            kept.append("")
    return "/" + "/".join(kept)
