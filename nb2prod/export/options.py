"""The cell of a script that reads the parameters from the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nb2prod.export.interpolation import quoted
from nb2prod.notebook.parameters import Parameter, ParameterType, literal_source

_MAX_DEFAULT = 80

# Functions that the options' reading may need, in the order in which they stand.
_FUNCTIONS = {
    "date": """\
    def date(text):
        return datetime.date.fromisoformat(text)
""",
    "date_time": """\
    def date_time(text):
        return datetime.datetime.fromisoformat(text)
""",
    "json_value": """\
    def json_value(kind, *items, convert=None, choices=()):
        def read(text):
            value = json.loads(text)
            is_kind = isinstance(value, kind)
            if not is_kind or (items and not all(type(item) in items for item in value)):
                raise ValueError(text)
            for item in value if choices else ():
                if item not in choices:
                    raise argparse.ArgumentTypeError(f"{item!r} is not in {choices}")
            return [convert(item) for item in value] if convert else value

        read.__name__ = f"JSON {kind.__name__}"
        return read
""",
    "within": """\
    def within(read, low, high, interval):
        def read_within(text):
            value = read(text)
            if (low is None or value >= low) and (high is None or value <= high):
                return value
            raise argparse.ArgumentTypeError(f"{text} is not in {interval}")

        read_within.__name__ = read.__name__
        return read_within
""",
    "optional": """\
    def optional(read):
        def read_optional(text):
            return None if text.lower() in ("none", "null") else read(text)

        read_optional.__name__ = read.__name__
        return read_optional
""",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Option:
    """How a script reads a type from its command line.

    Parameters
    ----------
    read
        What argparse gives the text to.
    json_types
        The types that JSON gives it, as an item of a list.
    converts
        Whether such an item becomes a value by ``read`` only.
    module
        What ``read`` needs.
    function
        Which of the functions above it needs.
    """

    read: str
    json_types: str
    converts: bool = False
    module: str = ""
    function: str = ""


_OPTIONS = {
    ParameterType.INTEGER: _Option(read="int", json_types="int"),
    ParameterType.FLOAT: _Option(read="float", json_types="float, int", converts=True),
    # Its own option is a flag, which has no text.
    ParameterType.BOOLEAN: _Option(read="", json_types="bool"),
    ParameterType.STRING: _Option(read="str", json_types="str"),
    ParameterType.DATE: _Option(
        read="date", json_types="str", converts=True, module="datetime", function="date"
    ),
    ParameterType.DATETIME: _Option(
        read="date_time", json_types="str", converts=True, module="datetime", function="date_time"
    ),
    ParameterType.PATH: _Option(
        read="pathlib.Path", json_types="str", converts=True, module="pathlib"
    ),
    ParameterType.LIST: _Option(
        read="json_value(list)", json_types="list", module="json", function="json_value"
    ),
    ParameterType.DICT: _Option(
        read="json_value(dict)", json_types="dict", module="json", function="json_value"
    ),
}


def options_source(parameters: Sequence[Parameter], title: str) -> str:
    """Write the source of the cell; it does nothing in a kernel, and needs Python 3.9 alone.

    Only options that were given change anything: a default stays what the parameters cell says.
    """
    functions = {name for parameter in parameters for name in _functions(parameter)}
    modules = {option.module for item in parameters for option in _options(item)} - {""}
    lines = [
        "def _nb2prod_options():",
        '    """Read the parameters that are given on the command line."""',
        *(f"    import {name}" for name in sorted({"argparse", *modules})),
    ]
    for name, source in _FUNCTIONS.items():
        if name in functions:
            lines += ["", *source.splitlines()]
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


def option_text(parameter: Parameter) -> str:
    """Return what ``--help`` says of one parameter.

    >>> option_text(Parameter("alpha", ParameterType.FLOAT, 0.2, help="weight", maximum=1))
    '--alpha VALUE  weight (float in [, 1], default: 0.2)'
    """
    (flag,) = _flags([parameter])
    is_flag = parameter.type is ParameterType.BOOLEAN
    option = f"{flag}, --no-{flag[2:]}" if is_flag else f"{flag} {_metavar(parameter)}"
    return f"{option}  {_help(parameter)}"


def _options(parameter: Parameter) -> Iterator[_Option]:
    yield _OPTIONS[parameter.type]
    if parameter.item_type is not None and _OPTIONS[parameter.item_type].converts:
        yield _OPTIONS[parameter.item_type]


def _functions(parameter: Parameter) -> Iterator[str]:
    for option in _options(parameter):
        yield option.function
    if parameter.range_text:
        yield "within"
    if _needs_optional(parameter):
        yield "optional"


def _argument(parameter: Parameter, flag: str) -> list[str]:
    fields = [quoted(flag), f"dest={quoted(parameter.name)}"]
    if parameter.type is ParameterType.BOOLEAN:
        fields.append("action=argparse.BooleanOptionalAction")
    else:
        fields.append(f"type={_reader(parameter)}")
        fields.append(f"metavar={quoted(_metavar(parameter))}")
        if _is_choice(parameter):
            none = ["None"] if _needs_optional(parameter) else []
            fields.append(f"choices=[{', '.join([_choices(parameter), *none])}]")
    fields.append(f"help={quoted(_help(parameter).replace('%', '%%'))}")
    return ["    parser.add_argument(", *(f"        {field}," for field in fields), "    )"]


def _reader(parameter: Parameter) -> str:
    reader = _list_reader(parameter) or _OPTIONS[parameter.type].read
    if parameter.range_text:
        low, high = (
            # A number is its own source; any other limit is read as a value is.
            f"{reader}({quoted(limit)})" if isinstance(limit, str) else str(limit)
            for limit in (parameter.minimum, parameter.maximum)
        )
        reader = f"within({reader}, {low}, {high}, {quoted(parameter.range_text)})"
    return f"optional({reader})" if _needs_optional(parameter) else reader


def _list_reader(parameter: Parameter) -> str:
    if parameter.item_type is None:
        return ""
    item = _OPTIONS[parameter.item_type]
    facts = ["list", item.json_types]
    if item.converts:
        facts.append(f"convert={item.read}")
    if parameter.choices:
        facts.append(f"choices=[{_choices(parameter)}]")
    return f"json_value({', '.join(facts)})"


def _needs_optional(parameter: Parameter) -> bool:
    # For a text, "none" is a text like any other; a flag has no text.
    is_flag = parameter.type is ParameterType.BOOLEAN
    return parameter.is_optional and not parameter.row.is_text and not is_flag


def _is_choice(parameter: Parameter) -> bool:
    return bool(parameter.choices) and parameter.type is not ParameterType.LIST


def _choices(parameter: Parameter) -> str:
    return ", ".join(map(literal_source, parameter.choices))


def _description(title: str) -> str:
    # argparse looks for `%` in a description only where it names the program.
    return title.replace("%", "%%") if "%(prog)" in title else title


def _metavar(parameter: Parameter) -> str:
    # The choices themselves would break argparse's usage where they have spaces or brackets.
    return "CHOICE" if _is_choice(parameter) else parameter.row.placeholder


def _help(parameter: Parameter) -> str:
    kind = f"{parameter.type_text} in {parameter.range_text}".removesuffix(" in ")
    default = parameter.default_text
    if len(default) > _MAX_DEFAULT:
        default = f"{default[: _MAX_DEFAULT - 3]}..."
    facts = f"({kind}, default: {default})"
    if parameter.choices and not _is_choice(parameter):
        facts = f"of {_choices(parameter)} {facts}"
    return f"{parameter.help} {facts}".strip()


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
