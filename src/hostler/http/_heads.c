/* Plain heads of HTTP/1.1, compiled: the twin of plain.py, which says what the four functions take and return.

   What this file takes must mean the same as what plain.py takes, byte for byte; tests/http/test_heads_properties.py
   and fuzz_heads.py hold them together. Whatever is unusual is declined with None, never refused: that is for the
   ordinary readers in Python. So a doubt is settled here by declining, in both twins.

   Rules for whoever changes this file:
   - The bytes that come in end where their length says; nothing relies on the NUL that CPython puts behind them.
   - What lasts longer than a call is in the module's state, and does not change once the module is loaded. What
     belongs to a call is on the stack, or freed on every way out. There are no other variables.
   - The Limited API of Python 3.11, so that one library serves every later Python. Nothing runs Python code between
     the look at a list and the copy of it: only bytes are allocated there, which the garbage collector does not
     track. */

#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <stdint.h>
#include <string.h>

typedef unsigned char Byte;

/* Part of some bytes; `end` is behind the last one. */
typedef struct {
    const Byte *start, *end;
} Span;

/* What a byte may be part of: bits of State.classes. */
enum {
    TOKEN = 1,    /* a method or a header name (RFC 9110 5.6.2) */
    TEXT = 2,     /* a header's value or a reason phrase (RFC 9110 5.5, RFC 9112 4) */
    PATH = 4,     /* a path that a destination gets as it is: target._PATH */
    QUERY = 8,    /* a query: target._QUERY */
    DIGIT = 16,
};

static const char ALPHANUMERIC[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char IN_TOKENS[] = "!#$%&'*+-.^_`|~";
static const char IN_PATHS[] = "!$&'()*+,-./:;=@_~";

/* What a header line is to a proxy. */
typedef enum {
    KEPT,       /* passed on as it came */
    DROPPED,    /* not passed on */
    UNUSUAL,    /* declines the head */
    HOST,       /* not passed on, there must be one */
    LENGTH,     /* Content-Length: passed on */
    CODING,     /* Transfer-Encoding: not passed on, whoever writes the head adds it */
    CONNECTION, /* not passed on */
    DATE,       /* passed on */
} Meaning;

typedef enum { REQUEST, RESPONSE } Kind;

/* The names that mean something, in lower case, short ones first: State.first relies on it. */
static const struct {
    const char *name;
    Meaning meaning[2]; /* by Kind */
} FIELDS[] = {
    {"te", {DROPPED, DROPPED}},
    {"alpn", {DROPPED, DROPPED}},
    {"date", {KEPT, DATE}},
    {"host", {HOST, KEPT}},
    {"close", {DROPPED, DROPPED}},
    {"expect", {UNUSUAL, KEPT}},
    {"alt-svc", {DROPPED, DROPPED}},
    {"upgrade", {UNUSUAL, DROPPED}},
    {"forwarded", {DROPPED, KEPT}},
    {"connection", {CONNECTION, CONNECTION}},
    {"keep-alive", {DROPPED, DROPPED}},
    {"content-length", {LENGTH, LENGTH}},
    {"http2-settings", {DROPPED, DROPPED}},
    {"proxy-features", {DROPPED, DROPPED}},
    {"security-scheme", {DROPPED, DROPPED}},
    {"x-forwarded-for", {DROPPED, KEPT}},
    {"proxy-connection", {DROPPED, DROPPED}},
    {"x-forwarded-host", {DROPPED, KEPT}},
    {"proxy-instruction", {DROPPED, DROPPED}},
    {"transfer-encoding", {CODING, CODING}},
    {"x-forwarded-proto", {DROPPED, KEPT}},
    {"proxy-authenticate", {DROPPED, DROPPED}},
    {"x-forwarded-prefix", {DROPPED, KEPT}},
    {"proxy-authorization", {DROPPED, DROPPED}},
    {"proxy-authentication-info", {DROPPED, DROPPED}},
    {"upgrade-insecure-requests", {DROPPED, DROPPED}},
};

/* Methods whose names need not be made for each request. */
static const char *const METHODS[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};

enum {
    FIELD_COUNT = sizeof FIELDS / sizeof *FIELDS,
    METHOD_COUNT = sizeof METHODS / sizeof *METHODS,
    LONGEST_FIELD = 25,
    LONGEST_METHOD = 32,
    LONGEST_REASON = 128,
    MOST_DIGITS = 18,     /* of a Content-Length: it fits 63 bits */
    FRAMING_CHUNKED = -1, /* message.CHUNKED */
};

/* The module's state. Nothing in it changes once `prepare` has run. */
typedef struct {
    Byte classes[256];
    Byte lower[256];
    Byte first[LONGEST_FIELD + 2]; /* the names of n bytes are FIELDS[first[n]] to before FIELDS[first[n + 1]] */
    PyObject *methods[METHOD_COUNT];
} State;

/* ---- bytes ---- */

static size_t size_of(Span span)
{
    return (size_t)(span.end - span.start);
}

static int is(Span span, const char *literal)
{
    size_t size = strlen(literal);
    return size_of(span) == size && memcmp(span.start, literal, size) == 0;
}

/* Whether the bytes are `literal`, which is in lower case, whatever their own case. */
static int is_in_any_case(const State *state, Span span, const char *literal)
{
    if (size_of(span) != strlen(literal))
        return 0;
    for (const Byte *p = span.start; p < span.end; p++)
        if (state->lower[*p] != (Byte)literal[p - span.start])
            return 0;
    return 1;
}

static const Byte *skip(const State *state, Span span, int class)
{
    const Byte *p = span.start;
    while (p < span.end && (state->classes[*p] & class))
        p++;
    return p;
}

#define EVERY_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* `skip` for TEXT, the one class of which there is much: eight bytes at a time, until a control character is among
   them. The expressions have the top bit of a byte set if it is below 0x20, or is 0x7F; a byte behind such a one may
   have it set too, so that they tell whether there is one and not where. From there on it is byte by byte, since HTAB
   is one of those. */
static const Byte *skip_text(const State *state, Span span)
{
    while (span.end - span.start >= 8) {
        uint64_t word;
        memcpy(&word, span.start, sizeof word);
        uint64_t deletes = word ^ EVERY_BYTE(0x7F);
        uint64_t controls = ((word - EVERY_BYTE(0x20)) & ~word) | ((deletes - EVERY_BYTE(0x01)) & ~deletes);
        if (controls & EVERY_BYTE(0x80))
            break;
        span.start += 8;
    }
    return skip(state, span, TEXT);
}

static int starts_with(Span span, const char *literal)
{
    size_t size = strlen(literal);
    return size_of(span) >= size && memcmp(span.start, literal, size) == 0;
}

static Span stripped(Span value)
{
    while (value.start < value.end && (*value.start == ' ' || *value.start == '\t'))
        value.start++;
    while (value.start < value.end && (value.end[-1] == ' ' || value.end[-1] == '\t'))
        value.end--;
    return value;
}

/* The number that Content-Length says, or -1 for what is none. */
static long long content_length(const State *state, Span value)
{
    size_t digits = size_of(value);
    if (digits == 0 || digits > MOST_DIGITS || skip(state, value, DIGIT) != value.end)
        return -1;
    long long number = 0;
    for (const Byte *p = value.start; p < value.end; p++)
        number = number * 10 + (*p - '0');
    return number;
}

static PyObject *bytes_of(Span span)
{
    return PyBytes_FromStringAndSize((const char *)span.start, span.end - span.start);
}

/* ---- the lines that are passed on ---- */

enum { FEW = 8 };

/* Pieces of a head, in order, which become one bytes object. Neighbours are joined, so that there is one more than
   there are gaps; more than a few are rare, and go to memory of their own. */
typedef struct {
    Span few[FEW];
    Span *spans; /* `few`, or memory to be freed */
    size_t count, room, size;
} Kept;

static void kept_init(Kept *kept)
{
    kept->spans = kept->few;
    kept->count = kept->size = 0;
    kept->room = FEW;
}

static void kept_free(Kept *kept)
{
    if (kept->spans != kept->few)
        PyMem_Free(kept->spans);
}

/* 0, or -1 with MemoryError set. */
static int keep(Kept *kept, Span span)
{
    kept->size += size_of(span);
    if (kept->count > 0 && kept->spans[kept->count - 1].end == span.start) {
        kept->spans[kept->count - 1].end = span.end;
        return 0;
    }
    if (kept->count == kept->room) {
        size_t room = kept->room * 4; /* spans are parts of one object in memory, so this cannot overflow */
        Span *spans = PyMem_Malloc(room * sizeof *spans);
        if (spans == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(spans, kept->spans, kept->count * sizeof *spans);
        kept_free(kept);
        kept->spans = spans;
        kept->room = room;
    }
    kept->spans[kept->count++] = span;
    return 0;
}

static PyObject *kept_bytes(const Kept *kept)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)kept->size);
    if (bytes == NULL)
        return NULL;
    char *out = PyBytes_AsString(bytes);
    for (size_t i = 0; i < kept->count; i++) {
        memcpy(out, kept->spans[i].start, size_of(kept->spans[i]));
        out += size_of(kept->spans[i]);
    }
    return bytes;
}

/* ---- header lines ---- */

static Meaning meaning_of(const State *state, Span name, Kind kind)
{
    size_t size = size_of(name);
    if (size > LONGEST_FIELD)
        return KEPT;
    for (int i = state->first[size]; i < state->first[size + 1]; i++)
        if (is_in_any_case(state, name, FIELDS[i].name))
            return FIELDS[i].meaning[kind];
    return KEPT;
}

/* What a header section says; `no_facts` is what an empty one says. */
typedef struct {
    Span host;        /* empty without one */
    long long length; /* -1 without one */
    int chunked, connections, keep_alive, has_date;
} Facts;

static const Facts no_facts = {{NULL, NULL}, -1, 0, 0, 1, 0};

/* Take note of a header whose meaning is more than to be kept or not; whether it is a plain one. */
static int note(const State *state, Facts *facts, Meaning meaning, Span value)
{
    switch (meaning) {
    case HOST:
        if (facts->host.start != NULL || value.start == value.end)
            return 0;
        facts->host = value;
        return 1;
    case LENGTH:
        if (facts->length >= 0)
            return 0;
        facts->length = content_length(state, value);
        return facts->length >= 0;
    case CODING:
        if (facts->chunked)
            return 0;
        facts->chunked = 1;
        return is(value, "chunked");
    case CONNECTION:
        facts->keep_alive = is_in_any_case(state, value, "keep-alive");
        return ++facts->connections == 1 && (facts->keep_alive || is_in_any_case(state, value, "close"));
    case DATE:
        facts->has_date = 1;
        return 1;
    case KEPT:
    case DROPPED:
        return 1;
    case UNUSUAL:
        break;
    }
    return 0;
}

/* Read header lines up to the empty one, into `facts` and `kept`. Returns where the head ends; NULL when it is not
   plain or not whole, or with an exception set. */
static const Byte *read_section(
    const State *state, Span rest, Py_ssize_t max_headers, Kind kind, Facts *facts, Kept *kept)
{
    *facts = no_facts;
    for (Py_ssize_t count = 0;; count++) {
        if (starts_with(rest, "\r\n")) {
            if (facts->chunked && facts->length >= 0)
                return NULL;
            return rest.start + 2;
        }
        Span name = {rest.start, skip(state, rest, TOKEN)};
        if (name.start == name.end || name.end == rest.end || *name.end != ':' || count >= max_headers)
            return NULL;
        Span value = {name.end + 1, rest.end};
        value.end = skip_text(state, value);
        if (!starts_with((Span){value.end, rest.end}, "\r\n"))
            return NULL;
        Span line = {rest.start, value.end + 2};
        rest.start = line.end;
        Meaning meaning = meaning_of(state, name, kind);
        if (meaning != KEPT && meaning != DROPPED && !note(state, facts, meaning, stripped(value)))
            return NULL;
        if ((meaning == KEPT || meaning == LENGTH || meaning == DATE) && keep(kept, line) < 0)
            return NULL;
    }
}

/* ---- calls ---- */

/* Take a call's arguments apart: bytes, which become `data`, and numbers. 0, or -1 with TypeError or OverflowError. */
static int arguments(
    const char *function, PyObject *const *args, Py_ssize_t given, Span *data, Py_ssize_t *numbers, Py_ssize_t wanted)
{
    char *start;
    Py_ssize_t size;
    if (given != wanted + 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, %zd were given", function, wanted + 1, given);
        return -1;
    }
    if (PyBytes_AsStringAndSize(args[0], &start, &size) < 0)
        return -1;
    data->start = (const Byte *)start;
    data->end = data->start + size;
    for (Py_ssize_t i = 0; i < wanted; i++) {
        numbers[i] = PyLong_AsSsize_t(args[i + 1]);
        if (numbers[i] == -1 && PyErr_Occurred())
            return -1;
    }
    return 0;
}

/* Leave out what is behind the first `most` bytes: a head that does not end within them is not plain. */
static void cut_to(Span *data, Py_ssize_t most)
{
    if (most < 0)
        most = 0;
    if (data->end - data->start > most)
        data->end = data->start + most;
}

/* Put a new object into a new tuple, which takes the reference; 0, or -1 when there is no object. */
static int put(PyObject *tuple, Py_ssize_t at, PyObject *item)
{
    return item == NULL ? -1 : PyTuple_SetItem(tuple, at, item);
}

static PyObject *none(void)
{
    return Py_NewRef(Py_None);
}

/* A new reference to the method's name. */
static PyObject *method_name(const State *state, Span method)
{
    for (int i = 0; i < METHOD_COUNT; i++)
        if (is(method, METHODS[i]))
            return Py_NewRef(state->methods[i]);
    return PyUnicode_DecodeASCII((const char *)method.start, method.end - method.start, NULL);
}

typedef struct {
    Span method, target, path, query;
    int has_query;
} RequestLine;

/* Read a request line; returns where its CRLF ends, or NULL when it is not plain or not whole. */
static const Byte *read_request_line(const State *state, Span data, Py_ssize_t max_line, RequestLine *line)
{
    Span rest = data;
    line->method.start = data.start;
    line->method.end = rest.start = skip(state, rest, TOKEN);
    size_t size = size_of(line->method);
    if (size == 0 || size > LONGEST_METHOD || is(line->method, "CONNECT") || !starts_with(rest, " /"))
        return NULL;
    line->path.start = ++rest.start;
    line->path.end = skip(state, rest, PATH);
    for (const Byte *p = line->path.start + 1; p < line->path.end; p++)
        if ((*p == '/' || *p == '.') && p[-1] == '/')
            return NULL; /* dot segments are to be removed, and some take // for / */
    rest.start = line->path.end;
    line->has_query = starts_with(rest, "?");
    line->query = (Span){rest.start, rest.start};
    if (line->has_query) {
        line->query.start = ++rest.start;
        line->query.end = rest.start = skip(state, rest, QUERY);
    }
    line->target = (Span){line->path.start, rest.start};
    if (!starts_with(rest, " HTTP/1.1\r\n") || rest.start + 9 - data.start > max_line)
        return NULL;
    return rest.start + 11;
}

static PyObject *request_facts(
    const State *state, const RequestLine *line, const Facts *facts, const Kept *kept, Py_ssize_t end)
{
    Span path = line->path;
    long long framing = facts->chunked ? FRAMING_CHUNKED : facts->length < 0 ? 0 : facts->length;
    PyObject *all = PyTuple_New(9);
    if (all == NULL)
        return NULL;
    if (put(all, 0, method_name(state, line->method)) < 0
        || put(all, 1, bytes_of(line->target)) < 0
        || put(all, 2, PyUnicode_DecodeASCII((const char *)path.start, path.end - path.start, NULL)) < 0
        || put(all, 3, line->has_query ? bytes_of(line->query) : none()) < 0
        || put(all, 4, bytes_of(facts->host)) < 0
        || put(all, 5, PyLong_FromLongLong(framing)) < 0
        || put(all, 6, PyBool_FromLong(facts->keep_alive)) < 0
        || put(all, 7, kept_bytes(kept)) < 0
        || put(all, 8, PyLong_FromSsize_t(end)) < 0) {
        Py_DECREF(all);
        return NULL;
    }
    return all;
}

static PyObject *read_request(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    const State *state = PyModule_GetState(module);
    Span data;
    Py_ssize_t limits[3]; /* max_head, max_line, max_headers */
    if (arguments("read_request", args, given, &data, limits, 3) < 0)
        return NULL;
    cut_to(&data, limits[0]);
    RequestLine line;
    const Byte *lines = read_request_line(state, data, limits[1], &line);
    if (lines == NULL)
        return none();
    Facts facts;
    Kept kept;
    kept_init(&kept);
    PyObject *result = NULL;
    const Byte *end = read_section(state, (Span){lines, data.end}, limits[2], REQUEST, &facts, &kept);
    if (end != NULL && facts.host.start != NULL)
        result = request_facts(state, &line, &facts, &kept, end - data.start);
    else if (!PyErr_Occurred())
        result = none();
    kept_free(&kept);
    return result;
}

/* Read a status line; returns where its CRLF ends, or NULL when it is not plain or not whole. */
static const Byte *read_status_line(const State *state, Span data, long *status)
{
    if (!starts_with(data, "HTTP/1.1 ") || size_of(data) < sizeof "HTTP/1.1 200 ")
        return NULL;
    Span digits = {data.start + 9, data.start + 12};
    if (skip(state, digits, DIGIT) != digits.end)
        return NULL;
    *status = (long)content_length(state, digits);
    if (*status < 200 || *status > 599 || *status == 204 || *status == 205 || *status == 304 || *digits.end != ' ')
        return NULL;
    Span reason = {digits.end + 1, data.end};
    reason.end = skip_text(state, reason);
    if (size_of(reason) == 0 || size_of(reason) > LONGEST_REASON || !starts_with((Span){reason.end, data.end}, "\r\n"))
        return NULL; /* without a reason, the ordinary way writes the registered one */
    return reason.end + 2;
}

static PyObject *response_facts(long status, const Facts *facts, const Kept *kept, Py_ssize_t end)
{
    PyObject *all = PyTuple_New(6);
    if (all == NULL)
        return NULL;
    if (put(all, 0, PyLong_FromLong(status)) < 0
        || put(all, 1, PyLong_FromLongLong(facts->chunked ? FRAMING_CHUNKED : facts->length)) < 0
        || put(all, 2, PyBool_FromLong(facts->keep_alive)) < 0
        || put(all, 3, kept_bytes(kept)) < 0
        || put(all, 4, PyBool_FromLong(facts->has_date)) < 0
        || put(all, 5, PyLong_FromSsize_t(end)) < 0) {
        Py_DECREF(all);
        return NULL;
    }
    return all;
}

static PyObject *read_response(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    const State *state = PyModule_GetState(module);
    Span data;
    Py_ssize_t limits[2]; /* max_head, max_headers */
    if (arguments("read_response", args, given, &data, limits, 2) < 0)
        return NULL;
    cut_to(&data, limits[0]);
    long status;
    const Byte *lines = read_status_line(state, data, &status);
    if (lines == NULL)
        return none();
    Facts facts;
    Kept kept;
    kept_init(&kept);
    PyObject *result = NULL;
    const Byte *end = NULL;
    if (keep(&kept, (Span){data.start, lines}) == 0)
        end = read_section(state, (Span){lines, data.end}, limits[1], RESPONSE, &facts, &kept);
    if (end != NULL && (facts.chunked || facts.length >= 0))
        result = response_facts(status, &facts, &kept, end - data.start);
    else if (!PyErr_Occurred())
        result = none();
    kept_free(&kept);
    return result;
}

/* Where the first `byte` is, or the end. */
static const Byte *find(Span span, Byte byte)
{
    const Byte *found = span.start == span.end ? NULL : memchr(span.start, byte, size_of(span));
    return found == NULL ? span.end : found;
}

/* Where the first CRLF is, or the end. */
static const Byte *find_line_end(Span span)
{
    const Byte *end = span.end;
    for (;;) {
        span.start = find(span, '\r');
        if (span.start == end || starts_with(span, "\r\n"))
            return span.start;
        span.start++;
    }
}

static PyObject *bytes_in_lower_case(const State *state, Span span)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, span.end - span.start);
    if (bytes == NULL)
        return NULL;
    char *out = PyBytes_AsString(bytes);
    for (const Byte *p = span.start; p < span.end; p++)
        *out++ = (char)state->lower[*p];
    return bytes;
}

/* A tuple of a line's name and value; a line without a colon is all name. */
static PyObject *split_line(const State *state, Span line, int lower)
{
    Span name = {line.start, find(line, ':')};
    Span value = {name.end == line.end ? name.end : name.end + 1, line.end};
    PyObject *pair = PyTuple_New(2);
    if (pair == NULL)
        return NULL;
    if (put(pair, 0, lower ? bytes_in_lower_case(state, name) : bytes_of(name)) < 0
        || put(pair, 1, bytes_of(stripped(value))) < 0) {
        Py_DECREF(pair);
        return NULL;
    }
    return pair;
}

static PyObject *split_lines(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    const State *state = PyModule_GetState(module);
    Span rest;
    Py_ssize_t lower;
    if (arguments("split_lines", args, given, &rest, &lower, 1) < 0)
        return NULL;
    PyObject *pairs = PyList_New(0);
    if (pairs == NULL)
        return NULL;
    for (;;) {
        Span line = {rest.start, find_line_end(rest)};
        if (line.end == rest.end)
            return pairs;
        PyObject *pair = split_line(state, line, lower != 0);
        if (pair == NULL || PyList_Append(pairs, pair) < 0) {
            Py_XDECREF(pair);
            Py_DECREF(pairs);
            return NULL;
        }
        Py_DECREF(pair);
        rest.start = line.end + 2;
    }
}

/* Borrow the name and the value of an item of `raw`; whether it is a pair of bytes objects, and no less. */
static int borrow_pair(PyObject *raw, Py_ssize_t at, Span *name, Span *value)
{
    PyObject *pair = PyList_GetItem(raw, at);
    if (pair == NULL || !PyTuple_CheckExact(pair) || PyTuple_Size(pair) != 2)
        return 0;
    PyObject *first = PyTuple_GetItem(pair, 0), *second = PyTuple_GetItem(pair, 1);
    if (!PyBytes_CheckExact(first) || !PyBytes_CheckExact(second))
        return 0;
    name->start = (const Byte *)PyBytes_AsString(first);
    name->end = name->start + PyBytes_Size(first);
    value->start = (const Byte *)PyBytes_AsString(second);
    value->end = value->start + PyBytes_Size(second);
    return 1;
}

/* Look at the header of an item; how many bytes its line has, or -1 when it is not plain. */
static Py_ssize_t measure(const State *state, PyObject *raw, Py_ssize_t at, Facts *facts)
{
    Span name, value;
    if (!borrow_pair(raw, at, &name, &value))
        return -1;
    if (name.start == name.end || skip(state, name, TOKEN) != name.end || skip_text(state, value) != value.end)
        return -1;
    Meaning meaning = meaning_of(state, name, RESPONSE);
    if (meaning == CONNECTION || meaning == CODING || meaning == DROPPED || !note(state, facts, meaning, value))
        return -1;
    return (Py_ssize_t)(size_of(name) + size_of(value) + 4);
}

static void write_pairs(PyObject *raw, Py_ssize_t count, char *out)
{
    for (Py_ssize_t at = 0; at < count; at++) {
        Span name, value;
        if (!borrow_pair(raw, at, &name, &value))
            return; /* it was one when it was measured, and nothing has run since */
        memcpy(out, name.start, size_of(name));
        out += size_of(name);
        memcpy(out, ": ", 2);
        out += 2;
        memcpy(out, value.start, size_of(value));
        out += size_of(value);
        memcpy(out, "\r\n", 2);
        out += 2;
    }
}

static PyObject *write_lines(PyObject *module, PyObject *raw)
{
    const State *state = PyModule_GetState(module);
    if (!PyList_CheckExact(raw))
        return none();
    Facts facts = no_facts;
    Py_ssize_t count = PyList_Size(raw), total = 0;
    for (Py_ssize_t at = 0; at < count; at++) {
        Py_ssize_t size = measure(state, raw, at, &facts);
        if (size < 0)
            return none();
        if (size > PY_SSIZE_T_MAX - total)
            return PyErr_NoMemory();
        total += size;
    }
    PyObject *block = PyBytes_FromStringAndSize(NULL, total);
    if (block == NULL)
        return NULL;
    write_pairs(raw, count, PyBytes_AsString(block));
    PyObject *all = PyTuple_New(3);
    if (all == NULL || put(all, 0, block) < 0
        || put(all, 1, PyLong_FromLongLong(facts.length)) < 0
        || put(all, 2, PyBool_FromLong(facts.has_date)) < 0) {
        if (all == NULL)
            Py_DECREF(block);
        Py_XDECREF(all);
        return NULL;
    }
    return all;
}

/* ---- the module ---- */

static void add_class(State *state, const char *characters, int class)
{
    for (; *characters; characters++)
        state->classes[(Byte)*characters] |= (Byte)class;
}

static void prepare_tables(State *state)
{
    for (int c = 0; c < 256; c++) {
        state->lower[c] = (Byte)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
        if (c == '\t' || (c >= 0x20 && c != 0x7F))
            state->classes[c] |= TEXT;
        if (c > 0x20 && c < 0x7F && c != '#')
            state->classes[c] |= QUERY;
    }
    add_class(state, "0123456789", DIGIT);
    add_class(state, ALPHANUMERIC, TOKEN | PATH);
    add_class(state, IN_TOKENS, TOKEN);
    add_class(state, IN_PATHS, PATH);
    int field = 0;
    for (size_t size = 0; size <= LONGEST_FIELD + 1; size++) {
        while (field < FIELD_COUNT && strlen(FIELDS[field].name) < size)
            field++;
        state->first[size] = (Byte)field;
    }
}

/* Add a frozenset of the names that a kind of head never passes on, as `meaning_of` sees them; 0, or -1 on error. */
static int add_dropped(PyObject *module, const State *state, const char *constant, Kind kind)
{
    PyObject *names = PyFrozenSet_New(NULL);
    if (names == NULL)
        return -1;
    for (int i = 0; i < FIELD_COUNT; i++) {
        const Byte *start = (const Byte *)FIELDS[i].name;
        Span span = {start, start + strlen(FIELDS[i].name)};
        Meaning meaning = meaning_of(state, span, kind);
        if (meaning == KEPT || meaning == LENGTH || meaning == DATE || meaning == UNUSUAL)
            continue;
        PyObject *name = bytes_of(span);
        int failed = name == NULL || PySet_Add(names, name) < 0;
        Py_XDECREF(name);
        if (failed) {
            Py_DECREF(names);
            return -1;
        }
    }
    int result = PyModule_AddObjectRef(module, constant, names);
    Py_DECREF(names);
    return result;
}

static int prepare(PyObject *module)
{
    State *state = PyModule_GetState(module);
    prepare_tables(state);
    for (int i = 0; i < METHOD_COUNT; i++)
        if ((state->methods[i] = PyUnicode_InternFromString(METHODS[i])) == NULL)
            return -1;
    if (add_dropped(module, state, "DROPPED_FROM_REQUESTS", REQUEST) < 0)
        return -1;
    return add_dropped(module, state, "DROPPED_FROM_RESPONSES", RESPONSE);
}

static int clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    if (state != NULL) /* a module whose state was never made can be cleared too */
        for (int i = 0; i < METHOD_COUNT; i++)
            Py_CLEAR(state->methods[i]);
    return 0;
}

static void release(void *module)
{
    clear(module);
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef functions[] = {
    {"read_request", FAST(read_request), METH_FASTCALL, NULL},
    {"read_response", FAST(read_response), METH_FASTCALL, NULL},
    {"split_lines", FAST(split_lines), METH_FASTCALL, NULL},
    {"write_lines", write_lines, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)prepare},
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "hostler.http._heads",
    .m_doc = "Plain heads of HTTP/1.1, compiled; hostler.http.plain says what the functions do.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = slots,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__heads(void)
{
    return PyModuleDef_Init(&definition);
}
