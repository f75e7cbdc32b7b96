"""Conditions on headers and the query: every mode, how lines are split, and what counts as nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.config.model import HeaderMatch, HeaderMatchMode, QueryMatch, QueryMatchMode
from hostler.exchange import Exchange
from hostler.http.heads import read_request
from hostler.http.plain_request import PlainRequest
from hostler.routing.conditions import Aspect, Condition, Subject, Subjects, Values
from hostler.testing import FakeStream, exchange

EXACT, PREFIX = HeaderMatchMode.EXACT_HEADER, HeaderMatchMode.HEADER_PREFIX
CONTAINS, NOT_CONTAINS = HeaderMatchMode.CONTAINS, HeaderMatchMode.NOT_CONTAINS
EXISTS, NOT_EXISTS = HeaderMatchMode.EXISTS, HeaderMatchMode.NOT_EXISTS


def header(mode, values, lines, *, name="org-id", is_case_sensitive=False):
    """Tell whether a request with these lines of a header satisfies a condition on it."""
    lines = [lines] if isinstance(lines, str | bytes) else lines
    request = exchange(headers=[(name, line) for line in lines])
    return Condition.of(HeaderMatch(name, values, mode, is_case_sensitive)).holds(Subjects(request))


def query(mode, values, target, *, name="a", is_case_sensitive=False):
    return Condition.of(QueryMatch(name, values, mode, is_case_sensitive)).holds(
        Subjects(exchange("GET", target))
    )


class TestHeaderModes:
    @pytest.mark.parametrize(
        ("mode", "lines", "expected"),
        [
            (EXISTS, [], False),
            (EXISTS, "", False),
            (EXISTS, "abc", True),
            (EXISTS, ["", ""], True),  # .NET: two empty values are something
            (NOT_EXISTS, [], True),
            (NOT_EXISTS, "", True),
            (NOT_EXISTS, "abc", False),
            (NOT_EXISTS, ["", "abc"], False),
        ],
    )
    def test_existence(self, mode, lines, expected):
        assert header(mode, (), lines) is expected

    @pytest.mark.parametrize("mode", HeaderMatchMode)
    def test_of_a_header_that_is_missing(self, mode):
        values = () if mode in {EXISTS, NOT_EXISTS} else "abc"
        assert header(mode, values, []) is (mode in {NOT_EXISTS, NOT_CONTAINS})

    @pytest.mark.parametrize(
        ("mode", "line", "expected", "sensitive"),
        [
            (EXACT, "", False, False),
            (EXACT, "abc", True, True),
            (EXACT, "aBC", True, False),
            (EXACT, "abcd", False, False),
            (EXACT, "ab", False, False),
            (EXACT, "ab c", False, False),
            (PREFIX, "", False, False),
            (PREFIX, "abc", True, True),
            (PREFIX, "aBCd", True, False),
            (PREFIX, "ab", False, False),
            (PREFIX, "zabc", False, False),
            (CONTAINS, "", False, False),
            (CONTAINS, "ababc", True, True),
            (CONTAINS, "zaBCz", True, False),
            (CONTAINS, "ababab", False, False),
            (CONTAINS, '"zabc"', True, True),
            (CONTAINS, "z, abc", True, True),
            (NOT_CONTAINS, "", True, True),
            (NOT_CONTAINS, "ababc", False, False),
            (NOT_CONTAINS, "zaBCz", False, True),
            (NOT_CONTAINS, "ababab", True, True),
        ],
    )
    def test_of_one_value(self, mode, line, expected, sensitive):
        """`sensitive` is what the same condition says when case counts."""
        assert header(mode, "abc", line) is expected
        assert header(mode, "abc", line, is_case_sensitive=True) is (
            sensitive if mode is not NOT_CONTAINS else "abc" not in line
        )

    @pytest.mark.parametrize(
        ("mode", "line", "expected"),
        [
            (EXACT, "abc", True),
            (EXACT, "def", True),
            (EXACT, "abcdef", False),
            (PREFIX, "defg", True),
            (PREFIX, "ghi", False),
            (CONTAINS, "zdefz", True),
            (CONTAINS, "ghi", False),
            (NOT_CONTAINS, "zdefz", False),
            (NOT_CONTAINS, "ab", True),
        ],
    )
    def test_one_of_several_values_is_enough_and_not_contains_wants_none(self, mode, line, expected):
        assert header(mode, ["abc", "DEF"], line) is expected

    @pytest.mark.parametrize(
        ("mode", "lines", "expected"),
        [
            (EXACT, ["x", "abc"], True),
            (EXACT, ["x", "y"], False),
            (EXACT, ["ab", "c"], False),
            (PREFIX, ["", "abcd"], True),
            (CONTAINS, ["x", "zabcz"], True),
            (CONTAINS, ["ab", "c"], False),
            (NOT_CONTAINS, ["x", "zabcz"], False),
            (NOT_CONTAINS, ["x", "y"], True),
            (NOT_CONTAINS, ["", "y"], True),
        ],
    )
    def test_of_several_lines_one_is_enough_and_not_contains_wants_all(self, mode, lines, expected):
        assert header(mode, "abc", lines) is expected

    def test_names_have_no_case(self):
        rule = HeaderMatch("X-Org", "a", is_case_sensitive=True)
        assert Condition.of(rule).holds(Subjects(exchange(headers=[("x-oRG", "a")])))


TOKENS = [
    ("abc", ["abc"]),
    ("ab,abc", ["ab", "abc"]),
    ("ab,  abc", ["ab", "abc"]),
    ("abc ,d", ["abc ", "d"]),
    ("\tabc", ["\tabc"]),
    (",abc,", ["", "abc"]),
    ('"abc"', ["abc"]),
    (' "abc"', ["abc"]),
    ('"abc" ', ['"abc" ']),
    ('"ab, abc"', ["ab, abc"]),
    ('"ab", "abc"', ["ab", "abc"]),
    ('"ab", "abc', ["ab", '"abc']),
    ('ab", "abc', ['ab", "abc']),
    ('ab"",abc', ['ab""', "abc"]),
    ('"abc', ['"abc']),
    ('abc"', ['abc"']),
    ('"abc,d', ['"abc,d']),
    ('""ab""c,"abc,",abc', ['""ab""c', "abc,", "abc"]),
    ('""', [""]),
    ('"', ['"']),
    ('a"b,c"d,e', ['a"b,c"d', "e"]),
    ('"ab""""", abc"', ['ab""""', 'abc"']),
    ('"ab"""", abc"', ['ab"""", abc']),
]


class TestTokens:
    @pytest.mark.parametrize(("line", "expected"), TOKENS)
    def test_of_a_line(self, line, expected):
        # a stranger's header parser would strip the line; what a list of pairs has is taken as it is
        subject = Subject.of(Aspect.TOKENS, "org-id", ignores_case=False)
        assert list(Subjects(exchange(headers=[("Org-Id", line)]))[subject]) == sorted(filter(None, expected))

    @pytest.mark.parametrize(("line", "expected"), TOKENS)
    def test_a_cookie_s_separator_is_the_semicolon(self, line, expected):
        subject = Subject.of(Aspect.TOKENS, "cookie", ignores_case=False)
        swapped = line.translate(str.maketrans(",;", ";,"))
        found = Subjects(exchange(headers=[("Cookie", swapped)]))[subject]
        assert sorted(token.translate(str.maketrans(",;", ";,")) for token in found) == sorted(
            filter(None, expected)
        )

    @pytest.mark.parametrize(
        ("mode", "line", "expected"),
        [
            (EXACT, "theme=dark; user=me", True),
            (EXACT, "user=me2; theme=dark", False),
            (EXACT, "theme=a,user=me", False),
            (PREFIX, "theme=dark; user=me2", True),
            (PREFIX, "not-user=me", False),
        ],
    )
    def test_cookies(self, mode, line, expected):
        assert header(mode, "user=me", line, name="Cookie") is expected

    def test_lines_are_split_each_for_itself(self):
        assert not header(EXACT, "a,b", ['"a', 'b"'])
        assert header(EXACT, "b", ['"a', "b"])

    def test_contains_looks_at_the_line_as_it_stands(self):
        assert header(CONTAINS, '", "', '"a", "b"')

    @given(st.text(alphabet='ab", ', max_size=12))
    def test_any_line(self, line):
        """Against a character by character reading of the same rules."""
        expected, token, quoted = [], "", False
        for at, character in enumerate(line):
            if character == '"' and (quoted or '"' in line[at + 1 :]):
                quoted = not quoted
            elif character == '"':
                token += line[at:]
                break
            if character == "," and not quoted:
                expected.append(token)
                token = ""
            else:
                token += character
        expected += [token] if token else []
        stripped = [token.lstrip(" ") for token in expected]
        bare = [
            token[1:-1] if len(token) > 1 and token[0] == token[-1] == '"' else token for token in stripped
        ]
        subject = Subject.of(Aspect.TOKENS, "x", ignores_case=False)
        assert list(Subjects(exchange(headers=[("x", line)]))[subject]) == sorted(set(bare) - {""})

    @pytest.mark.parametrize("line", ['"' * 60_001, '",' * 30_000, "," * 60_000, 'a"' * 30_001, " " * 60_000])
    def test_hostile_lines_take_linear_time(self, line):
        began = time.perf_counter()
        assert not header(EXACT, "nothing of it", [line, line])
        assert time.perf_counter() - began < 1


class TestCase:
    @pytest.mark.parametrize(
        ("one", "other", "expected"),
        [
            ("É", "é", True),
            ("straße", "STRASSE", False),
            ("straße", "STRAßE", True),
            ("\u212a", "k", False),  # the Kelvin sign
            ("\u0131", "I", False),  # a dotless i
            ("\u0130", "i", False),
            ("\u017f", "S", False),  # a long s
            ("µ", "\u039c", True),
            ("Σ", "ς", True),
        ],
    )
    def test_is_ignored_as_net_ignores_it(self, one, other, expected):
        assert header(EXACT, one, other.encode()) is expected
        assert header(EXACT, other, one.encode()) is expected
        assert header(EXACT, one, other.encode(), is_case_sensitive=True) is False

    def test_lines_are_read_as_utf_8(self):
        assert header(EXACT, "café", "café".encode())
        assert not header(EXACT, "café", "café".encode("latin-1"))
        assert header(EXISTS, (), b"\xff")


Q_EXACT, Q_PREFIX = QueryMatchMode.EXACT, QueryMatchMode.PREFIX
Q_CONTAINS, Q_NOT_CONTAINS, Q_EXISTS = (
    QueryMatchMode.CONTAINS,
    QueryMatchMode.NOT_CONTAINS,
    QueryMatchMode.EXISTS,
)


class TestQuery:
    @pytest.mark.parametrize("mode", QueryMatchMode)
    @pytest.mark.parametrize("target", ["/", "/?", "/?b=abc", "/?ab=abc"])
    def test_of_a_parameter_that_is_missing(self, mode, target):
        assert query(mode, () if mode is Q_EXISTS else "abc", target) is (mode is Q_NOT_CONTAINS)

    @pytest.mark.parametrize(
        ("target", "expected"),
        [
            ("/?a", False),
            ("/?a=", False),
            ("/?a=1", True),
            ("/?a=&a=1", True),
            ("/?a&a", True),
            ("/?A=1", True),
        ],
    )
    def test_existence(self, target, expected):
        assert query(Q_EXISTS, (), target) is expected

    @pytest.mark.parametrize(
        ("mode", "target", "expected", "sensitive"),
        [
            (Q_EXACT, "/?a=abc", True, True),
            (Q_EXACT, "/?a=ABC", True, False),
            (Q_EXACT, "/?a=abcd", False, False),
            (Q_EXACT, "/?a=%61b%63", True, True),
            (Q_EXACT, "/?%61=abc", True, True),
            (Q_EXACT, "/?a=%2561bc", False, False),
            (Q_EXACT, "/?a=x&b=y&a=abc", True, True),
            (Q_EXACT, "/?a=x,abc", False, False),
            (Q_EXACT, '/?a="abc"', False, False),
            (Q_EXACT, "/?a=+abc", False, False),
            (Q_EXACT, "/?a=x;a=abc", False, False),
            (Q_PREFIX, "/?a=abcd", True, True),
            (Q_PREFIX, "/?a=ABCD", True, False),
            (Q_PREFIX, "/?a=zabc", False, False),
            (Q_CONTAINS, "/?a=zabcz", True, True),
            (Q_CONTAINS, "/?a=z&a=zABCz", True, False),
            (Q_CONTAINS, "/?a=ab&a=c", False, False),
            (Q_NOT_CONTAINS, "/?a=zabcz", False, False),
            (Q_NOT_CONTAINS, "/?a=z&a=zABCz", False, True),
            (Q_NOT_CONTAINS, "/?a=ab&a=c", True, True),
            (Q_NOT_CONTAINS, "/?a=", True, True),
        ],
    )
    def test_modes(self, mode, target, expected, sensitive):
        assert query(mode, "abc", target) is expected
        assert query(mode, "abc", target, is_case_sensitive=True) is sensitive

    @pytest.mark.parametrize(
        ("value", "target"),
        [
            ("a b", "/?a=a+b"),
            ("a b", "/?a=a%20b"),
            ("a+b", "/?a=a%2Bb"),
            ("a=b", "/?a=a=b"),
            ("a&b", "/?a=a%26b"),
            ("café", "/?a=caf%C3%A9"),
            ("%", "/?a=%"),
            ("%zz", "/?a=%zz"),
            ("a?b", "/?a=a?b"),
        ],
    )
    def test_values_are_decoded_once(self, value, target):
        assert query(Q_EXACT, value, target)

    def test_one_of_several_values_is_enough_and_not_contains_wants_none(self):
        assert query(Q_EXACT, ["x", "y"], "/?a=y")
        assert not query(Q_NOT_CONTAINS, ["x", "y"], "/?a=why")

    def test_a_name_may_need_decoding_too(self):
        assert query(Q_EXACT, "1", "/?My+Name=1", name="my name")

    def test_what_is_not_utf_8_equals_nothing(self):
        assert query(Q_EXISTS, (), "/?a=%ff")
        assert not query(Q_EXACT, "\ufffd", "/?a=%ff")

    def test_a_query_of_nothing_but_separators_takes_linear_time(self):
        began = time.perf_counter()
        assert not query(Q_EXACT, "1", "/?" + "&" * 30_000 + "=" * 30_000)
        assert time.perf_counter() - began < 1


class TestValues:
    @given(st.lists(st.text("ab", max_size=4)), st.text("ab", min_size=1, max_size=3))
    def test_are_searched_as_one_by_one(self, values, wanted):
        found = Values(values)
        assert found.exist() == (values not in ([], [""]))
        assert found.has(wanted) == (wanted in values)
        assert found.has_beginning(wanted) == any(value.startswith(wanted) for value in values)
        assert found.has_part(wanted) == any(wanted in value for value in values)

    def test_a_thousand_conditions_on_a_hostile_header_take_little_time(self):
        subjects = Subjects(exchange(headers=[("x", ",".join(f"v{n}" for n in range(10_000)))]))
        conditions = [
            Condition.of(HeaderMatch("x", f"none{n}", mode))
            for n in range(300)
            for mode in (EXACT, PREFIX, CONTAINS)
        ]
        began = time.perf_counter()
        assert not any(condition.holds(subjects) for condition in conditions)
        assert time.perf_counter() - began < 1


class TestSubjects:
    def test_a_request_without_a_head_has_none(self):
        assert all(
            not Subjects(None)[Subject.of(aspect, "x", ignores_case=cased)]
            for aspect in Aspect
            for cased in (True, False)
        )

    def test_a_header_is_read_once(self):
        class Counting:
            def __init__(self):
                self.asked = 0

            def header_values(self, name):
                self.asked += 1
                return exchange(headers=[("x", "1")]).header_values(name)

        head = Counting()
        subjects = Subjects(head)
        for mode in (EXACT, PREFIX, CONTAINS, NOT_CONTAINS):
            Condition.of(HeaderMatch("x", "1", mode)).holds(subjects)
        assert head.asked == 1

    def test_a_plain_head_is_not_taken_apart_for_its_headers(self):
        class Whole(PlainRequest):
            def request(self):
                raise AssertionError("a header was asked for, and the whole head is taken apart")

        head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Tenant: red\r\n\r\n"
        plain = Whole(head, read_request(head, 8192, 8192, 100))
        asked = Exchange(plain, FakeStream(), None, ("127.0.0.1", 1), ("127.0.0.1", 2), "a", 80)
        assert Condition.of(HeaderMatch("X-Tenant", "red")).holds(Subjects(asked))

    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            (HeaderMatch("X-A", ["a", "b"]), 'X-A is "a" or "b"'),
            (HeaderMatch("X-A", "a", NOT_CONTAINS), 'X-A does not contain "a"'),
            (HeaderMatch("X-A", mode=NOT_EXISTS), "X-A does not exist"),
            (QueryMatch("q", "a", Q_PREFIX), 'q begins with "a"'),
        ],
    )
    def test_a_condition_says_what_it_asks_for(self, rule, expected):
        assert str(Condition.of(rule)) == expected
