"""Our structures and constants beside those of mingw-w64's headers, which were not written by us.

Those headers lack what is newer than they are. A structure that they know in part is compared as far as its first
field that they do not know; the parts for delegation are compared with win32more's (tests/wine/inside).
"""

import math

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys import mingw
from tests.server.httpsys.names import folded, numbers, structures

pytestmark = pytest.mark.timeout(60)  # a C compiler runs for each


@pytest.fixture(scope="module", autouse=True)
def compiler():
    mingw.require()


@pytest.fixture(scope="module")
def words(compiler):
    return mingw.words()


def layout(ctype, known, prefix="", base=0):
    """Return (path, offset, size) of the fields that the headers know, and whether they know them all."""
    found, doubtful = [], math.inf
    for name, field in ctype.fields:
        if field.offset > doubtful:
            break  # stands behind something that the headers lack, so perhaps elsewhere there
        path, offset, whole = f"{prefix}{name}", base + field.offset, name in known
        if whole:
            found.append((path, offset, None if field.type.kind == "array" else ffi.sizeof(field.type)))
        if whole and field.type.kind in {"struct", "union"}:
            more, whole = layout(field.type, known, f"{path}.", offset)
            found += more
        if not whole:
            doubtful = min(doubtful, field.offset)
    return found, doubtful == math.inf


def assertions(name, ctype, known):
    fields, complete = layout(ctype, known)
    if complete and not flexible(ctype):
        yield f"sizeof({name}) == {ffi.sizeof(ctype)}", f"size of {name}"
    for path, offset, size in fields:
        yield f"offsetof({name}, {path}) == {offset}", f"offset of {name}.{path}"
        if size is not None:
            yield f"sizeof((({name} *)0)->{path}) == {size}", f"size of {name}.{path}"


def flexible(ctype):
    last = ctype.fields[-1][1].type
    return last.kind == "array" and last.length is None


def test_structures_are_laid_out_as_in_other_peoples_headers(words):
    known, _ = words
    compared = {
        name: list(assertions(name, ctype, known)) for name, ctype in structures().items() if name in known
    }
    assert len(compared) > 55
    assert {"HTTP_REQUEST", "HTTP_RESPONSE", "HTTP_DATA_CHUNK", "HTTP_BINDING_INFO", "OVERLAPPED"} <= set(
        compared
    )
    assert mingw.compile_assertions([one for many in compared.values() for one in many]) == []


def test_constants_have_the_values_of_other_peoples_headers(words):
    known = {folded(word): word for word in words[0] | words[1]}
    compared = [(known[name], value) for _, name, value in numbers() if name in known]
    assert len(compared) > 180
    assert (
        mingw.compile_assertions([(f"{name} == {value}", f"{name} is {value}") for name, value in compared])
        == []
    )


def test_a_wrong_assertion_is_seen():
    assert mingw.compile_assertions([("sizeof(HTTP_REQUEST) == 1", "size of HTTP_REQUEST")]) != []
