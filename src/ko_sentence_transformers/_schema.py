"""Plain tables (TOML) to frozen dataclasses and back; an error names the key and the nearest known one."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class SchemaError(ValueError):
    """A table does not fit its dataclass; the message names the key."""


def build(cls: type[T], table: Mapping[str, Any], *, where: str, flat: str = "") -> T:
    """Return ``cls`` made of ``table``; keys that are left out keep their defaults.

    :param where: the dotted place of the table, for messages.
    :param flat: the name of a field whose keys are written in this table itself.
    :raises SchemaError: for an unknown key or a value of another type.
    """
    hints = get_type_hints(cls)
    values = {}
    for key, value in table.items():
        if key not in hints:
            raise SchemaError(_unknown(f"{where}.{key}".lstrip("."), known_keys(cls, where)))
        place = where if key == flat else f"{where}.{key}".lstrip(".")
        values[key] = _value(hints[key], value, place)
    return cls(**values)


def known_keys(cls: type[Any], where: str = "") -> list[str]:
    """Return the dotted keys that ``cls`` has, those of the tables in it included."""
    out = []
    hints = get_type_hints(cls)
    for item in fields(cls):
        place = f"{where}.{item.name}".lstrip(".")
        out.append(place)
        if is_dataclass(hints[item.name]):
            out += known_keys(hints[item.name], place)
    return out


def _unknown(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, 1, cutoff=0.5)
    if not near:
        last = get_close_matches(key.rsplit(".", 1)[-1], [k.rsplit(".", 1)[-1] for k in known], 1, cutoff=0.0)
        near = [k for k in known if k.rsplit(".", 1)[-1] in last][:1]
    return f"unknown key {key}" + (f"; did you mean {near[0]}?" if near else "")


def _value(hint: Any, value: Any, place: str) -> Any:
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise SchemaError(f"{place} is {value!r}, not a table")
        return build(hint, value, where=place)  # type: ignore[arg-type]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise SchemaError(f"{place} is {value!r}, not a list")
        return tuple(_value(arguments[0], item, place) for item in value)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise SchemaError(f"{place} is {value!r}, not a table")
        return {key: _value(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # bool is an int to Python, not to a reader of a recipe.
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise SchemaError(f"{place} is {value!r}; it must be {_KINDS[hint]}")
    return value


_KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``low`` with the keys of ``high`` over it, table by table."""
    out = dict(low)
    for key, value in high.items():
        both_tables = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merge(out[key], value) if both_tables else value
    return out


def overridden(table: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return ``table`` with each ``dotted.key=value`` set; a value is TOML, or else a text.

    :raises SchemaError: for an override without ``=`` or a place that is not there.
    """
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise SchemaError(f"--set {override!r} is not key=value, as train.learning_rate=3e-5")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        table = _set(table, key.strip().split("."), value, key)
    return table


def _set(node: Any, path: list[str], value: Any, key: str) -> Any:
    if not path:
        return value
    head, *rest = path
    if isinstance(node, list):
        if not head.isdigit() or int(head) >= len(node):
            raise SchemaError(f"--set {key}: there is no {head!r}; it has 0 to {len(node) - 1}")
        return [_set(item, rest, value, key) if i == int(head) else item for i, item in enumerate(node)]
    if not isinstance(node, Mapping):
        raise SchemaError(f"--set {key}: {head!r} is below a value, not a table")
    return {**node, head: _set(node.get(head, {}), rest, value, key)}


def toml_lines(table: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Yield the lines of ``table`` as TOML: values first, then its tables."""
    for key, value in table.items():
        if not isinstance(value, Mapping) and not _tables(value):
            yield f"{key} = {_toml(value)}"
    for key, value in table.items():
        place = f"{where}.{_key(key)}".lstrip(".")
        if isinstance(value, Mapping):
            yield f"\n[{place}]"
            yield from toml_lines({_key(k): v for k, v in value.items()}, place)
        elif _tables(value):
            for item in value:
                yield f"\n[[{place}]]"
                yield from toml_lines(item, place)


def _tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)
