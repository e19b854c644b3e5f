"""Reads and writes dataclasses as TOML; unknown keys and wrong types are errors.

A dataclass may hold bool, int, float (a whole number will do), str, Path, Literal, lists, tuples,
dicts with str keys, other dataclasses, and unions of these with None. A key that TOML leaves out
takes the dataclass's default. TOML has no null: None is written by leaving its key out.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import logging
import math
import re
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, cast

from unfade.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)
else:
    T = TypeVar("T")

log = logging.getLogger(__name__)
V = TypeVar("V")
_OLD_NAME = "old_name"  # key of a field's metadata
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def load_toml(path: Path, cls: type[T]) -> T:
    """The dataclass that a TOML file describes.

    Raises:
        UsageError: the file cannot be read, is no TOML, has a key that the dataclass has not,
            lacks one that has no default, or holds a value of another type.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(reason, "a TOML file", "check the name", path=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"no TOML ({error})", "a TOML file", "correct it", path=path) from error
    return from_dict(data, cls, path=path)


def save_toml(path: Path, value: DataclassInstance) -> None:
    """Writes a dataclass as TOML, for `load_toml` to read. OutputError where that fails."""
    from unfade.files import atomic_file

    with atomic_file(path) as file:
        file.write(to_toml(value).encode())


def from_dict(data: Mapping[str, object], cls: type[T], *, path: Path | None = None) -> T:
    """The dataclass with these values; UsageError as in `load_toml`. `path` names the source."""
    return cast(T, _build(data, cls, "", path))


def to_dict(value: DataclassInstance) -> dict[str, Any]:
    """The fields as TOML (and JSON) knows them: paths are text, keys with None are left out."""
    return cast(dict[str, Any], _to_toml_value(value))


def to_toml(value: DataclassInstance) -> str:
    """The TOML text of a dataclass: plain values first, nested dataclasses as tables."""
    return "\n".join(_table(to_dict(value), ())).strip("\n") + "\n"


# --- reading ---------------------------------------------------------------------------------


def renamed_field(old_name: str, default: V) -> V:
    """A dataclass field that TOML may still call by an older name, which logs a warning."""
    return dataclasses.field(default=default, metadata={_OLD_NAME: old_name})


def _current_names(
    data: Mapping[str, object], fields: Mapping[str, dataclasses.Field[Any]], where: str
) -> dict[str, object]:
    """The values by the names that the fields have now."""
    new_names = {f.metadata[_OLD_NAME]: f.name for f in fields.values() if _OLD_NAME in f.metadata}
    values = dict(data)
    for old, new in new_names.items():
        if old in values and new not in values:
            log.warning("%s is now called %s", _join(where, old), _join(where, new))
            values[new] = values.pop(old)
    return values


def _build(data: Mapping[str, object], cls: type[Any], where: str, path: Path | None) -> object:
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    data = _current_names(data, fields, where)
    for key in data:
        if key not in fields:
            raise _unknown(key, list(fields), where, path)
    hints = typing.get_type_hints(cls)
    values: dict[str, object] = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _convert(data[name], hints[name], _join(where, name), path)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            name = _join(where, name)
            raise UsageError(f"no '{name}'", _describe(hints[field.name]), "add it", path=path)
    return cls(**values)


def _unknown(key: str, known: list[str], where: str, path: Path | None) -> UsageError:
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    fix = f"did you mean {' or '.join(repr(k) for k in near)}?" if near else "remove it"
    names = ", ".join(sorted(known)) or "no keys"
    return UsageError(f"unknown key '{_join(where, key)}'", f"one of {names}", fix, path=path)


def _convert(value: object, hint: Any, where: str, path: Path | None) -> object:
    """The value as the type asks for it, or UsageError."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _convert_union(value, hint, args, where, path)
    if origin is Literal:
        if any(value == a and type(value) is type(a) for a in args):
            return value
        raise _mismatch(value, hint, where, path)
    if isinstance(value, dict):
        return _convert_table(cast(dict[str, object], value), hint, where, path)
    if origin in (list, tuple) and isinstance(value, list):
        return _convert_items(cast(list[object], value), hint, where, path)
    if hint is Any:
        return value
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and type(value) in (int, float):
        number = float(cast(float, value))
        if math.isfinite(number):
            return number
    elif hint in (bool, int, str) and type(value) is hint:
        return value
    raise _mismatch(value, hint, where, path)


def _convert_union(
    value: object, hint: Any, args: tuple[Any, ...], where: str, path: Path | None
) -> object:
    members = [a for a in args if a is not type(None)]
    nested = [a for a in members if dataclasses.is_dataclass(a)]
    if _is_table(value) and len(nested) == 1:
        return _convert(value, nested[0], where, path)  # its own, finer message
    # A Literal before the plain types, so that "auto" in `Literal["auto"] | Path` stays a word.
    for member in sorted(members, key=lambda m: typing.get_origin(m) is not Literal):
        try:
            return _convert(value, member, where, path)
        except UsageError:
            continue
    raise _mismatch(value, hint, where, path)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _convert_table(value: dict[str, object], hint: Any, where: str, path: Path | None) -> object:
    if dataclasses.is_dataclass(hint):
        return _build(value, cast(type[Any], hint), where, path)
    if typing.get_origin(hint) is dict:
        kind = typing.get_args(hint)[1]
        return {k: _convert(v, kind, _join(where, k), path) for k, v in value.items()}
    if hint is Any:
        return value
    raise _mismatch(value, hint, where, path)


def _convert_items(value: list[object], hint: Any, where: str, path: Path | None) -> object:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and args[-1] is not Ellipsis:
        if len(value) != len(args):
            raise _mismatch(value, hint, where, path)
        kinds = list(args)
    else:
        kinds = [args[0]] * len(value)
    pairs = enumerate(zip(value, kinds, strict=True))
    items = [_convert(v, kind, f"{where}[{i}]", path) for i, (v, kind) in pairs]
    return tuple(items) if origin is tuple else items


def _mismatch(value: object, hint: Any, where: str, path: Path | None) -> UsageError:
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    fix = "change the value"
    if typing.get_origin(hint) is Literal and isinstance(value, str):
        words = [a for a in typing.get_args(hint) if isinstance(a, str)]
        near = difflib.get_close_matches(value, words, n=1)
        fix = f"did you mean {near[0]!r}?" if near else fix
    return UsageError(f"{where} = {text}", _describe(hint), fix, path=path)


def _describe(hint: Any) -> str:
    """A type in the words of a message."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    if hint in names:
        return names[hint]
    if hint is Path:
        return "a path"
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(a) for a in args if a is not type(None))
    if origin is Literal:
        return "one of " + ", ".join(repr(a) for a in args)
    if origin is list or (origin is tuple and args[-1] is Ellipsis):
        return f"a list, each {_describe(args[0])}"
    if origin is tuple:
        return f"a list of {len(args)}: " + ", ".join(_describe(a) for a in args)
    return "a table"


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


# --- writing ---------------------------------------------------------------------------------


def _to_toml_value(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        return _to_toml_value(items)
    if isinstance(value, Mapping):
        mapping = cast(Mapping[object, object], value)
        return {str(k): _to_toml_value(v) for k, v in mapping.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_to_toml_value(item) for item in cast("list[object] | tuple[object, ...]", value)]
    return str(value) if isinstance(value, Path) else value


def _table(data: dict[str, Any], name: tuple[str, ...]) -> list[str]:
    tables = {k: cast(dict[str, Any], v) for k, v in data.items() if isinstance(v, dict)}
    lines = [f"[{'.'.join(_key(part) for part in name)}]"] if name else []
    lines += [f"{_key(k)} = {_value(v)}" for k, v in data.items() if k not in tables]
    for key, value in tables.items():
        lines += ["", *_table(value, (*name, key))]
    return lines


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


def _value(value: object) -> str:
    """One value in TOML. Its text and JSON's have the same escapes, but for \\u007f."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in cast(list[object], value)) + "]"
    if isinstance(value, dict):
        items = cast(dict[str, object], value).items()
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in items) + " }"
    return repr(value)
