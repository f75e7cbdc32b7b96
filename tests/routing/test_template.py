"""Path templates: what they may say, what they match, which of two is the more specific."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.routing.pattern import TemplateError
from hostler.routing.segments import Parameter
from hostler.routing.template import Template


def match(template: str, path: str) -> dict[str, str] | None:
    return Template.parse(template).match(path)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/", "/"),
        ("", "/"),
        ("/", ""),
        ("/api", "/api"),
        ("/api", "/api/"),
        ("/api/", "/api"),
        ("api", "/api"),
        ("~/api", "/api"),
        ("/API/v1", "/api/V1"),
        ("/a b/c", "/a b/c"),
        ("/{{x}}", "/{x}"),
        ("/größe", "/GRÖßE"),
    ],
)
def test_literals_match_without_case_and_with_one_more_slash(template, path):
    assert match(template, path) == {}


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/", "/a"),
        ("/", "//"),
        ("/api", "/"),
        ("/api", "/apis"),
        ("/api", "/api/x"),
        ("/api", "/api//"),
        ("/api", "//api"),
        ("/api", "api"),
        ("/api/v1", "/api"),
    ],
)
def test_literals_do_not_match_other_paths(template, path):
    assert match(template, path) is None


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/{p}", "/x", {"p": "x"}),
        ("/{p}", "/x/", {"p": "x"}),
        ("/{p}", "/MiXed Case", {"p": "MiXed Case"}),
        ("/{p}", "/", None),
        ("/{p}", "//", None),
        ("/a/{p}/c", "/a//c", None),
        ("/a/{p}/c", "/a/b/c", {"p": "b"}),
        ("/{p}", "/x/y", None),
        ("/{p}", "/x%2Fy", {"p": "x%2Fy"}),
        ("/a/{p?}", "/a", {}),
        ("/a/{p?}", "/a/", {}),
        ("/a/{p?}", "/a/b", {"p": "b"}),
        ("/{c=Home}/{a=Index}/{id?}", "/", {"c": "Home", "a": "Index"}),
        ("/{c=Home}/{a=Index}/{id?}", "/x", {"c": "x", "a": "Index"}),
        ("/{c=Home}/{a=Index}/{id?}", "/x/y/z", {"c": "x", "a": "y", "id": "z"}),
        ("/{a?}/{b?}", "/x", {"a": "x"}),
        ("/{p=}", "/", {"p": ""}),
        ("/{p:int=5}", "/", {"p": "5"}),
        ("/{p:int=five}", "/", None),
        ("/{p=x}/end", "/end", None),
        ("/{p=x}/end", "/y/end", {"p": "y"}),
    ],
)
def test_a_parameter_takes_a_segment_that_is_not_empty(template, path, values):
    assert match(template, path) == values


@pytest.mark.parametrize("stars", ["*", "**"])
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/a", ""),
        ("/a/", ""),
        ("/a/b", "b"),
        ("/a/b/c", "b/c"),
        ("/a/b/c/", "b/c/"),
        ("/a//", "/"),
        ("/a//b", "/b"),
    ],
)
def test_a_catch_all_takes_the_rest_with_its_slashes_or_nothing(stars, path, value):
    assert match(f"/a/{{{stars}rest}}", path) == {"rest": value}


def test_a_catch_all_may_have_a_default_and_constraints():
    assert match("/{**rest=index.html}", "/") == {"rest": "index.html"}
    assert match("/{**rest:nonfile}", "/a/b") == {"rest": "a/b"}
    assert match("/{**rest:nonfile}", "/") == {"rest": ""}
    assert match("/{**rest:nonfile}", "/a/b.js") is None
    assert match("/{**rest:maxlength(3)}", "/") is None, "a constraint fails on what is not there"
    assert match("/a/{**rest}", "/b/c") is None


def test_only_two_asterisks_keep_slashes():
    (one,) = Template.parse("/{*p}").segments
    (two,) = Template.parse("/{**p}").segments
    assert isinstance(one, Parameter)
    assert isinstance(two, Parameter)
    assert (one.keeps_slashes, two.keeps_slashes) == (False, True)


@pytest.mark.parametrize(
    ("template", "segment", "values"),
    [
        ("{name}.{ext?}", "a.txt", {"name": "a", "ext": "txt"}),
        ("{name}.{ext?}", "a.tar.gz", {"name": "a.tar", "ext": "gz"}),
        ("{name}.{ext?}", "a", {"name": "a"}),
        ("{name}.{ext?}", "a.", None),
        ("{name}.{ext?}", ".hidden", {"name": ".hidden"}),
        ("a{b}c", "aXYc", {"b": "XY"}),
        ("a{b}c", "AxC", {"b": "x"}),
        ("a{b}c", "ac", None),
        ("a{b}c", "abcd", None),
        ("v{major:int}.{minor:int}", "v1.20", {"major": "1", "minor": "20"}),
        ("v{major:int}.{minor:int}", "v1.x", None),
        ("{a}-{b}", "1-2-3", {"a": "1-2", "b": "3"}),
        ("{a}-{b}", "-1", None),
        ("{a}-{b}", "--1", {"a": "-", "b": "1"}),
        ("{a}-{b}", "1-", None),
        ("ab{x}ba", "aba", None),
        ("{x}İ", "aİ", {"x": "a"}),
        ("x{{{y}-}}", "x{1-}", {"y": "1"}),
    ],
)
def test_a_mixed_segment_is_taken_apart_from_the_right(template, segment, values):
    assert match("/files/" + template, "/files/" + segment) == values


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        ("int", ["0", "-5", "+5", " 5 ", "007", "2147483647"], ["2147483648", "1.0", "x", "1_000", "٣", "-", "9" * 5000]),
        ("INT", ["1"], ["x"]),
        ("long", ["9223372036854775807", "-9223372036854775808"], ["9223372036854775808", "1e3"]),
        ("bool", ["true", "FALSE", " True "], ["1", "yes"]),
        ("decimal", ["1", "-1.5", "1,000.25", ".5", "5.", "1-"], ["1e3", "x", ".", "9" * 40, "٣"]),
        ("double", ["1", "-1.5e10", "NaN", "-Infinity", "1,000.5"], ["x", "1_0", "1e", "inf"]),
        ("float", ["1.25"], ["one"]),
        ("guid", ["0f8fad5b-d9cb-469f-a165-70867728950e", "{0F8FAD5B-D9CB-469F-A165-70867728950E}", "a" * 32,
                  "(0f8fad5b-d9cb-469f-a165-70867728950e)"],
                 ["0f8fad5b-d9cb-469f-a165-70867728950", "g" * 32, "{" + "a" * 32 + "}", "a" * 31 + "-"]),
        ("datetime", ["2024-02-29", "2024-02-29T10:00:00Z", "02-29-2024", "12-31-2016 7:32 pm"], ["2023-02-29", "today", "20240229"]),
        ("alpha", ["abcXYZ"], ["a1", "ä", "a b"]),
        ("length(3)", ["abc"], ["ab", "abcd"]),
        ("length(2, 3)", ["ab", "abc"], ["a", "abcd"]),
        ("minlength(2)", ["ab", "abc"], ["a"]),
        ("maxlength(2)", ["a", "ab"], ["abc"]),
        ("min(18)", ["18", "99"], ["17", "x"]),
        ("max(18)", ["18", "-1"], ["19", ""]),
        ("range(18,20)", ["18", "20"], ["17", "21"]),
        ("required", ["x"], []),
        ("file", ["a.txt", ".gitignore", "a.tar.gz"], ["a", "a.", "..", "."]),
        ("nonfile", ["a", "a.", ".."], ["a.txt"]),
        ("int:min(1):max(9)", ["1", "9"], ["0", "10", "x"]),
    ],
)  # fmt: skip
def test_inline_constraints(constraint, good, bad):
    template = Template.parse(f"/{{p:{constraint}}}")
    assert [value for value in good if template.match("/" + value) != {"p": value}] == []
    assert [value for value in bad if template.match("/" + value) is not None] == []


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        (r"regex(^\d{{3}}-\d{{4}}$)", "555-1234", "555-12345"),
        (r"regex(^(?:a|b):c$)", "b:c", "c:c"),
        (r"regex(^x=y$)", "X=Y", "x"),
        (r"regex(^[^])/]+$)", "abc", "a)b"),
        (r"regex(^\(a\)$)", "(A)", "a"),
        (r"regex(b)", "abc", "ac"),
        (r"regex(^a?$):length(1)", "a", "b"),
    ],
)
def test_a_regular_expression_may_hold_what_has_meaning_outside(constraint, good, bad):
    template = Template.parse(f"/{{p:{constraint}}}")
    assert template.match("/" + good) == {"p": good}
    assert template.match("/" + bad) is None


def test_a_regular_expression_may_hold_slashes():
    assert match("/{**p:regex(^a/b)}", "/a/b/c") == {"p": "a/b/c"}
    assert match("/{**p:regex(^a/b)}", "/a/c") is None


def test_an_optional_parameter_may_be_constrained():
    assert match("/{p:int?}", "/") == {}
    assert match("/{p:int?}", "/5") == {"p": "5"}
    assert match("/{p:int?}", "/x") is None


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("/{", "unclosed brace at 1"),
        ("/{a}}", "unclosed brace at 1"),
        ("/}", "unopened brace at 1"),
        ("/{ab/c}", "'/' in a parameter name at 1"),
        ("/a/{***a}", "more than two asterisks at 3"),
        ("/{}", "empty parameter name at 1"),
        ("/{:int}", "empty parameter name at 1"),
        ("/{a*b}", "'*' in a parameter name at 1"),
        ("/{a{b}", "brace inside a parameter, write {{ for one, at 3"),
        ("/{id}/{ID}", "second parameter named 'ID' at 6"),
        ("/{*a}/b", "something follows the catch-all parameter 'a' at 6"),
        ("/{a?}/b", "something required follows the optional parameter 'a' at 6"),
        ("/{a?}/{b}", "something required follows the optional parameter 'a' at 6"),
        ("/x{*a}", "the catch-all parameter 'a' shares its segment at 1"),
        ("/{a}{b}", "nothing stands between 'b' and the parameter before it at 1"),
        ("/{a}-{b?}", "the optional parameter 'b' must be last and follow a single dot at 1"),
        ("/{a?}.x", "the optional parameter 'a' must be last and follow a single dot at 1"),
        ("/{a=1?}", "leave out its '?', at 1"),
        ("/{*a?}", "leave out its '?', at 1"),
        ("//a", "empty segment at 1"),
        ("/a//b", "empty segment at 3"),
        ("/a?b", "a question mark outside braces at 2"),
        ("/{a:itn}", "unknown constraint 'itn', did you mean 'int'? at 1"),
        ("/{a:zzzzzz}", "unknown constraint 'zzzzzz' at 1"),
        ("/{a:}", "unknown constraint '' at 1"),
        ("/{a:int(3)}", "constraint 'int(3)' has the wrong arguments at 1"),
        ("/{a:min}", "constraint 'min' has the wrong arguments at 1"),
        ("/{a:range(1)}", "constraint 'range(1)' has the wrong arguments at 1"),
        ("/{a:length(x)}", "constraint 'length(x)' has the wrong arguments at 1"),
        ("/{a:regex}", "constraint 'regex' has the wrong arguments at 1"),
        ("/{a:regex(*)}", "bad regular expression"),
        ("/{a:regex(a{{99999999999}})}", "bad regular expression, the repetition number is too large"),
        ("/{a:regex((?=a))}", "bad regular expression, it has look-around"),
        ("/{a:regex(()}", "unbalanced parenthesis in a constraint at 1"),
    ],
)
def test_an_error_names_the_template_the_reason_and_the_place(template, reason):
    with pytest.raises(TemplateError) as caught:
        Template.parse(template)
    assert str(caught.value).startswith(f'"{template}" is not a path template (')
    assert reason in str(caught.value)


@given(st.text(alphabet="/{}a*?:=().[]\\,-~"))
def test_parsing_raises_nothing_but_template_errors(text):
    with contextlib.suppress(TemplateError):
        Template.parse(text)


def test_the_more_specific_template_has_the_smaller_precedence():
    inbound = [
        "/",
        "/a",
        "/a/b",
        "/a/b{c}",
        "/a/{b}",
        "/a/{b}/c",
        "/a/{b}/{c}",
        "/a/{*b:nonfile}",
        "/a/{*b}",
        "/a{b}",
        "/{a}/b",
        "/{a}/{b:int}",
        "/{a}/{b}",
        "/{*a}",
    ]
    for better, worse in itertools.pairwise(inbound):
        assert Template.parse(better).precedence < Template.parse(worse).precedence


def test_a_mixed_segment_is_as_specific_as_a_constrained_parameter():
    assert Template.parse("/a{b}").precedence == Template.parse("/{b:int}").precedence


SEGMENT = st.text(alphabet="abcXYZ09.-~ü", min_size=1, max_size=5)


@given(st.lists(SEGMENT, min_size=1, max_size=5))
def test_a_template_of_parameters_gives_every_segment_back(segments):
    template = Template.parse("".join(f"/{{p{index}}}" for index in range(len(segments))))
    path = "/" + "/".join(segments)
    assert template.match(path) == {f"p{index}": segment for index, segment in enumerate(segments)}
    assert match("/{**rest}", path) == {"rest": path[1:]}
