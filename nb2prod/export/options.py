"""The cell of a script that reads the parameters from the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nb2prod.export.interpolation import quoted
from nb2prod.notebook.parameters import Parameter, ParameterType, literal_source

_OPTIONAL = """\
    def optional(read):
        def read_optional(text):
            return None if text.lower() in ("none", "null") else read(text)

        read_optional.__name__ = read.__name__
        return read_optional
"""
_JSON = """\
    def json_value(kind, *items):
        def read(text):
            value = json.loads(text)
            is_kind = isinstance(value, kind)
            if is_kind and (not items or all(type(item) in items for item in value)):
                return value
            raise ValueError(text)

        read.__name__ = f"JSON {kind.__name__}"
        return read
"""
_WITHIN = """\
    def within(read, low, high, interval):
        def read_within(text):
            number = read(text)
            if (low is None or number >= low) and (high is None or number <= high):
                return number
            raise argparse.ArgumentTypeError(f"{text} is not in {interval}")

        read_within.__name__ = read.__name__
        return read_within
"""
_ITEM_TYPES = {
    ParameterType.INTEGER: "int",
    ParameterType.FLOAT: "float, int",
    ParameterType.BOOLEAN: "bool",
    ParameterType.STRING: "str",
    ParameterType.LIST: "list",
    ParameterType.DICT: "dict",
}


def options_source(parameters: Sequence[Parameter], title: str) -> str:
    """Write the source of the cell; it does nothing in a kernel, and needs Python 3.9 alone.

    Only options that were given change anything: a default stays what the parameters cell says.
    """
    lines = [
        "def _nb2prod_options():",
        '    """Read the parameters that are given on the command line."""',
        "    import argparse",
    ]
    kinds = {parameter.type for parameter in parameters}
    if kinds & {ParameterType.LIST, ParameterType.DICT}:
        lines += ["    import json", "", *_JSON.splitlines()]
    if any(parameter.range_text for parameter in parameters):
        lines += ["", *_WITHIN.splitlines()]
    if any(_needs_optional(parameter) for parameter in parameters):
        lines += ["", *_OPTIONAL.splitlines()]
    lines += [
        "",
        "    parser = argparse.ArgumentParser(",
        f"        description={quoted(_description(title))},",
        "        argument_default=argparse.SUPPRESS,",
        "        allow_abbrev=False,",
        "    )",
    ]
    for parameter, flag in zip(parameters, _flags(parameters), strict=True):
        lines += _argument(parameter, flag)
    return "\n".join(
        [
            *lines,
            "    return vars(parser.parse_args())",
            "",
            "",
            'if __name__ == "__main__" and "get_ipython" not in globals():',
            "    globals().update(_nb2prod_options())",
        ]
    )


def _argument(parameter: Parameter, flag: str) -> list[str]:
    fields = [quoted(flag), f"dest={quoted(parameter.name)}"]
    if parameter.type is ParameterType.BOOLEAN:
        fields.append("action=argparse.BooleanOptionalAction")
    else:
        fields.append(f"type={_reader(parameter)}")
        fields.append(f"metavar={quoted(_metavar(parameter))}")
        if parameter.choices and parameter.type is not ParameterType.LIST:
            none = ["None"] if _needs_optional(parameter) else []
            shown = ", ".join([*map(literal_source, parameter.choices), *none])
            fields.append(f"choices=[{shown}]")
    fields.append(f"help={quoted(_help(parameter))}")
    return ["    parser.add_argument(", *(f"        {field}," for field in fields), "    )"]


def _reader(parameter: Parameter) -> str:
    if parameter.type is ParameterType.LIST:
        items = _ITEM_TYPES[parameter.item_type] if parameter.item_type else ""
        reader = f"json_value(list{', ' * bool(items)}{items})"
    elif parameter.type is ParameterType.DICT:
        reader = "json_value(dict)"
    elif parameter.range_text:
        limits = f"{parameter.minimum}, {parameter.maximum}, {quoted(parameter.range_text)}"
        reader = f"within({parameter.type.value}, {limits})"
    else:
        reader = parameter.type.value
    return f"optional({reader})" if _needs_optional(parameter) else reader


def _needs_optional(parameter: Parameter) -> bool:
    # For a text, "none" is a text like any other; a flag has no text.
    return parameter.is_optional and parameter.type not in (
        ParameterType.STRING,
        ParameterType.BOOLEAN,
    )


def _description(title: str) -> str:
    # argparse looks for `%` in a description only where it names the program.
    return title.replace("%", "%%") if "%(prog)" in title else title


def _metavar(parameter: Parameter) -> str:
    # The choices themselves would break argparse's usage where they have spaces or brackets.
    if parameter.choices and parameter.type is not ParameterType.LIST:
        return "CHOICE"
    return "JSON" if parameter.type in (ParameterType.LIST, ParameterType.DICT) else "VALUE"


def _help(parameter: Parameter) -> str:
    kind = f"{parameter.type_text} in {parameter.range_text}".removesuffix(" in ")
    facts = f"({kind}, default: {literal_source(parameter.default)})"
    if parameter.choices and parameter.type is ParameterType.LIST:
        facts = f"of {', '.join(map(literal_source, parameter.choices))} {facts}"
    return f"{parameter.help} {facts}".strip().replace("%", "%%")


def _flags(parameters: Iterable[Parameter]) -> list[str]:
    """Give each parameter an option of its own, apart from ``--help`` and the ``--no-…``."""
    taken = {"--help"}
    flags = []
    for parameter in parameters:
        flag = f"--{parameter.name.strip('_').replace('_', '-')}"
        is_flag = parameter.type is ParameterType.BOOLEAN
        if flag == "--" or taken & set(_forms(flag, is_flag=is_flag)):
            flag = f"--parameter-{parameter.name}"
        taken.update(_forms(flag, is_flag=is_flag))
        flags.append(flag)
    return flags


def _forms(flag: str, *, is_flag: bool) -> tuple[str, ...]:
    return (flag, f"--no-{flag[2:]}") if is_flag else (flag,)
