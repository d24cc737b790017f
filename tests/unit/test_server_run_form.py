"""The form of a run: what stands in its fields, and what is read from them."""

from __future__ import annotations

from typing import Any

import pytest

from nb2prod.notebook.parameters import Parameter, ParameterType
from nb2prod.server.run_form import FormField, field_name, filled_field, read_typed, typed_field

MARKET = Parameter("market", ParameterType.STRING, "JFK", choices=("JFK", "LGA"))
MAYBE = Parameter("maybe", ParameterType.INTEGER, 1, choices=(1, 2), is_optional=True)
DAYS = Parameter(
    "days", ParameterType.LIST, ["mon"], choices=("mon", "tue"), item_type=ParameterType.STRING
)
ALPHA = Parameter("alpha", ParameterType.FLOAT, 0.2, minimum=0, maximum=1)
COUNT = Parameter("count", ParameterType.INTEGER, None, is_optional=True)
FLAG = Parameter("flag", ParameterType.BOOLEAN, default=False)
THREE = Parameter("three", ParameterType.BOOLEAN, None, is_optional=True)
TEXT = Parameter("text", ParameterType.STRING, "")
NOTE = Parameter("note", ParameterType.STRING, None, is_optional=True)
LIMITS = Parameter("limits", ParameterType.DICT, {})
DAY = Parameter("day", ParameterType.DATE, "2024-01-31", minimum="2020-01-01")
NO_DAY = Parameter("no_day", ParameterType.DATE, None, is_optional=True)
MOMENT = Parameter("moment", ParameterType.DATETIME, "2024-01-31T00:00:00")
PLACE = Parameter("place", ParameterType.PATH, "data")
NO_PLACE = Parameter("no_place", ParameterType.PATH, None, is_optional=True)
UMLAUT = Parameter("über", ParameterType.INTEGER, 1)

VALUES: list[tuple[Parameter, Any]] = [
    (MARKET, "LGA"),
    (MAYBE, 2),
    (MAYBE, None),
    (DAYS, ["tue"]),
    (DAYS, []),
    (ALPHA, 0.5),
    (ALPHA, 1e-05),
    (COUNT, 3),
    (COUNT, None),
    (FLAG, True),
    (FLAG, False),
    (THREE, True),
    (THREE, None),
    (TEXT, ""),
    (TEXT, " <b>two\nlines</b> "),
    (NOTE, ""),
    (NOTE, "none"),
    (NOTE, None),
    (LIMITS, {"low": [1, None], "ä": "<"}),
    (UMLAUT, 7),
    (DAY, "2024-02-29"),
    (NO_DAY, None),
    (MOMENT, "2024-01-31T12:00:00"),
    (MOMENT, "2024-01-31T12:00:00.250000"),
    (MOMENT, "2024-01-31T12:00:00+02:00"),
    (PLACE, "data/a b.csv"),
    (NO_PLACE, None),
    (NO_PLACE, "none"),
    (Parameter("l", ParameterType.LIST, [], item_type=ParameterType.DATE), ["2024-01-31"]),
    (Parameter("large", ParameterType.FLOAT, 1.0), float("inf")),
]


def sent(field: FormField) -> dict[str, str]:
    """What a browser sends of a field that nobody touched."""
    if field.kind == "choices":
        chosen = [option.key for option in field.options if option.is_chosen]
        return {f"{field.name}-{key}": "yes" for key in chosen}
    if field.kind == "check":
        return {field.name: "yes"} if field.is_checked else {}
    if field.options:
        # One is always chosen: the first where none is.
        chosen = [option.key for option in field.options if option.is_chosen]
        return {field.name: (chosen or [field.options[0].key])[0]}
    found = {field.name: field.text.replace("\n", "\r\n")}
    return found | ({f"{field.name}-none": "yes"} if field.has_none_box and field.is_none else {})


@pytest.mark.parametrize(("parameter", "value"), VALUES, ids=lambda item: str(item)[:40])
def test_form_that_nobody_touched_gives_its_values_back(parameter: Parameter, value: Any) -> None:
    fields = sent(filled_field(parameter, value))

    typed = read_typed([parameter], fields)

    assert typed.errors == {}
    assert typed.values == {parameter.name: value}
    assert type(typed.values[parameter.name]) is type(value)
    # Shown again, since something else was refused, it sends the same.
    assert read_typed([parameter], sent(typed_field(parameter, fields))) == typed


@pytest.mark.parametrize(
    ("parameter", "text", "why"),
    [
        (MARKET, "9", "Choose one of"),
        (MARKET, "none", "Choose one of"),
        (MAYBE, "", "whole number"),
        (ALPHA, "", "write a number"),
        (ALPHA, "many", "write a number"),
        (ALPHA, "7", "must be in [0, 1]"),
        (ALPHA, "nan", "must be in [0, 1]"),
        (COUNT, "1.5", "whole number"),
        (THREE, "perhaps", "true or false"),
        (LIMITS, "[1]", "dictionary"),
        (DAY, "", "write a day"),
        (DAY, "2024-02-30", "no such day"),
        (DAY, "2019-12-31", "must be in [2020-01-01, ]"),
        (MOMENT, "12:00", "write a moment"),
        (PLACE, "", "write a path"),
        (LIMITS, "{", "JSON"),
    ],
    ids=lambda item: str(item)[:30],
)
def test_value_that_can_not_be_used_is_said_and_stays(
    parameter: Parameter, text: str, why: str
) -> None:
    fields = {field_name(parameter): text}

    typed = read_typed([parameter, TEXT], fields)
    again = typed_field(parameter, fields, typed.errors[parameter.name])

    assert typed.values == {"text": ""}
    assert why in typed.errors[parameter.name]
    assert (again.text, again.error) == (text, typed.errors[parameter.name])


def test_parameter_of_a_name_that_the_form_uses_itself_is_no_other_field() -> None:
    names = ("version", "profile", "_xsrf", "like", "pipeline")
    parameters = [Parameter(name, ParameterType.STRING, "") for name in names]
    fields = dict.fromkeys(names, "of the form")

    typed = read_typed(parameters, fields)

    assert set(typed.values.values()) == {""}


def test_none_is_offered_only_where_it_is_allowed() -> None:
    assert [option.label for option in filled_field(MAYBE, 1).options] == ["1", "2", "none"]
    assert [option.label for option in filled_field(MARKET, "JFK").options] == ["JFK", "LGA"]
    assert [option.key for option in filled_field(THREE, None).options if option.is_chosen] == [
        "none"
    ]
    assert filled_field(NOTE, None).has_none_box
    assert not filled_field(TEXT, "").has_none_box
    assert not filled_field(COUNT, None).has_none_box
