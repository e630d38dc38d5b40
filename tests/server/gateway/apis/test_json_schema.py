"""What schemas pass, and that whatever passes is small, ends, and is cheap for an engine to turn into a grammar."""

import ast
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from xgrammar import Grammar

from server.gateway.apis.json_schema import FORMATS, MAX_BYTES, MAX_COSTLY, MAX_DEPTH, MAX_UNFOLDED, read_schema
from server.gateway.errors import InvalidRequest, UnsupportedParameter

PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Person",
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 40, "description": "In full."},
        "born": {"type": "string", "format": "date"},
        "shoes": {"type": ["integer", "null"], "minimum": 20, "maximum": 60, "default": None},
        "mood": {"enum": ["good", "bad", 3, None]},
        "home": {"$ref": "#/$defs/Place"},
        "friends": {"type": "array", "items": {"$ref": "#/$defs/Place"}, "maxItems": 4},
        "pair": {"type": "array", "prefixItems": [{"const": 1}, {}], "items": False},
    },
    "required": ["name", "born"],
    "additionalProperties": False,
    "$defs": {"Place": {"anyOf": [{"type": "string"}, {"allOf": [{"$ref": "#/$defs/Street"}]}]}, "Street": {"type": "object"}},
}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels - 1):
        schema = {"type": "object", "properties": {"inner": schema}}
    return schema


def doubling(times: int) -> dict[str, Any]:
    """Small to write; each definition holds the next one twice."""
    definitions: dict[str, Any] = {
        f"d{index}": {"anyOf": [{"$ref": f"#/$defs/d{index + 1}"}, {"$ref": f"#/$defs/d{index + 1}"}]} for index in range(times)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{times}": {"type": "null"}}}


def test_an_ordinary_schema_passes_as_it_is_less_what_binds_nothing() -> None:
    """Pydantic's, for one."""
    assert read_schema(PERSON, "schema") == {key: value for key, value in PERSON.items() if key != "$schema"}
    assert read_schema(nested(MAX_DEPTH), "schema") == nested(MAX_DEPTH)


@pytest.mark.parametrize(
    ("schema", "param"),
    [
        ("string", "schema"),
        ({"type": "text"}, "schema.type"),
        ({"type": []}, "schema.type"),
        ({"pattern": "(a+)+b"}, "schema.pattern"),
        ({"patternProperties": {"^a": {}}}, "schema.patternProperties"),
        ({"not": {}}, "schema.not"),
        ({"properties": {"a": {"if": {}}}}, "schema.properties.a.if"),
        ({"properties": []}, "schema.properties"),
        ({"items": {"uniqueItems": True}}, "schema.items.uniqueItems"),
        ({"$defs": {"a": {"type": 1}}}, "schema.$defs.a.type"),
        ({"anyOf": []}, "schema.anyOf"),
        ({"allOf": [{}, {}]}, "schema.allOf"),
        ({"enum": []}, "schema.enum"),
        ({"enum": list(range(257))}, "schema.enum"),
        ({"const": [[[[[[[[[1]]]]]]]]]}, "schema.const"),
        ({"maxItems": 10**9}, "schema.maxItems"),
        ({"minLength": -1}, "schema.minLength"),
        ({"minimum": True}, "schema.minimum"),
        ({"minimum": 2**64}, "schema.minimum"),
        ({"exclusiveMaximum": -(10**400)}, "schema.exclusiveMaximum"),
        ({"format": "regex"}, "schema.format"),
        ({"format": "uri-template"}, "schema.format"),
        ({"required": "name"}, "schema.required"),
        ({"$ref": "http://169.254.169.254/"}, "schema.$ref"),
        ({"$ref": "#"}, "schema.$ref"),
        ({"$ref": 5}, "schema.$ref"),
        ({"$ref": "#/$defs/nobody"}, "schema"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "schema"),
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"items": {"$ref": "#/$defs/a"}}}}, "schema"),
        ({"properties": {"a": {"$defs": {}}}}, "schema.properties.a.$defs"),
        (doubling(9), "schema"),
        ({"$defs": {f"d{9 - index}": {"$ref": f"#/$defs/d{10 - index}"} for index in range(9)} | {"d10": nested(6)}}, "schema"),
        ({"properties": {f"p{index}": {} for index in range(MAX_UNFOLDED)}}, "schema"),
        ({"properties": {f"p{index}": {"minimum": 0} for index in range(MAX_COSTLY + 1)}}, "schema"),
        ({"description": "x" * MAX_BYTES}, "schema"),
    ],
)
def test_what_is_not_a_schema_or_costs_too_much_is_refused_by_its_place(schema: Any, param: str) -> None:
    """And before anything is asked of an engine."""
    with pytest.raises(InvalidRequest) as caught:
        read_schema(schema, "schema")
    assert caught.value.param == param


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 200])
def test_depth_is_bounded(levels: int) -> None:
    """In schemas within schemas, whether written out or referred to."""
    with pytest.raises(InvalidRequest, match="deep"):
        read_schema(nested(levels), "schema")


WORDS = st.sampled_from(["type", "properties", "items", "anyOf", "enum", "$ref", "$defs", "minimum", "format", "required", "pattern", "x"])
VALUES = st.sampled_from(["string", "object", "#/$defs/a", "#/$defs/b", "date", "a"]) | st.integers(-3, 2000) | st.booleans() | st.none()
SCHEMAS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.sampled_from(["a", "b"]), inner, max_size=4),
    max_leaves=24,
)


@given(schema=SCHEMAS)
def test_whatever_passes_is_a_schema_that_a_grammar_can_be_made_of(schema: Any) -> None:
    """Or it is refused with the place; nothing else comes of any input."""
    try:
        told = read_schema(schema, "schema")
    except InvalidRequest as error:
        place = error.param
    else:
        place = None
    if place is not None:
        assert place.startswith("schema")
        return
    Draft202012Validator.check_schema(told)
    assert read_schema(told, "schema") == told
    assert len(json.dumps(told)) <= 2 * MAX_BYTES


def test_our_formats_are_vllm_s() -> None:
    """The pinned version's; costly ones are left out. Its source is read, as importing it takes long."""
    vllm = find_spec("vllm")
    assert vllm is not None
    assert vllm.origin is not None
    source = Path(vllm.origin).with_name("v1") / "structured_output" / "backend_xgrammar.py"
    known = [node for node in ast.parse(source.read_text()).body if "STRING_SUPPORTED_FORMATS" in ast.unparse(node)]
    assert isinstance(known[0], ast.Assign)
    assert set(ast.literal_eval(known[0].value)) > FORMATS


@pytest.mark.parametrize("schema", [PERSON, nested(MAX_DEPTH), doubling(3)])
def test_xgrammar_makes_a_grammar_of_what_passes(schema: dict[str, Any]) -> None:
    """vLLM's first choice for it."""
    Grammar.from_json_schema(json.dumps(read_schema(schema, "schema")))


def test_an_unknown_word_is_named() -> None:
    """As unknown parameters are."""
    with pytest.raises(UnsupportedParameter, match="'multipleOf'"):
        read_schema({"multipleOf": 3}, "schema")
