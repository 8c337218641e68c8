"""Settings of any kind, a recipe say, from YAML and ``--set``: validated, with line numbers, explained key by key."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from rac.errors import DataError, UserError, did_you_mean
from rac.files import read_text

M = TypeVar("M", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """Reads YAML as ``yaml.safe_load`` does; an impossible date or number is an error with its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            problem = f"{error}; a value that is no date or number, but looks like one, needs quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text.

    Raises:
        yaml.YAMLError: whatever is wrong with it.
    """
    return yaml.load(text, Loader=_Loader)  # a SafeLoader: plain values only


def load_settings(kind: type[M], path: Path | str | None, overrides: Sequence[str] = ()) -> M:
    """Read and validate settings of any kind from a YAML file, from ``--set`` alone if ``path`` is None.

    Raises:
        DataError: for YAML that does not parse, an unknown key (with the nearest valid one), a wrong type or values
            that do not fit together; with the line.
    """
    values: Any = None
    node = None
    if path is not None:
        path = Path(path)
        text = read_text(path)
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            values = parse_yaml(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else None
            raise DataError(path, f"is not valid YAML ({getattr(error, 'problem', error)})", line=line) from error
        except RecursionError as error:
            raise DataError(path, f"is nested too deeply for a {_called(kind)}") from error
        if values is not None and not isinstance(values, dict):
            example = "sections, such as `data:` and `training:`" if kind.__name__ == "Recipe" else "keys and values"
            raise DataError(path, f"must be a mapping of {example}", line=1)
        _refuse_duplicate_keys(path, node)
    return validated(kind, {} if values is None else values, overrides, path, node)


def shipped_settings(package: str, folder: str) -> dict[str, Path]:
    """Return the settings that are installed in a folder of a package, by name."""
    return {path.stem: path for path in sorted(Path(str(resources.files(package) / folder)).glob("*.yaml"))}


def find_settings(name: str, shipped: Mapping[str, Path], kind: str, folder: str = "") -> Path:
    """Return the file of settings that are given by path, or by the name of ones that are installed with rac.

    Args:
        name: Path or name.
        shipped: Those that are installed, by name.
        kind: What they describe, for the error.
        folder: Where a clone has the installed ones: `FOLDER/NAME.yaml` then works from anywhere.

    Raises:
        UserError: if there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    stem = path.name.removesuffix(".yaml")
    if stem in shipped and str(path.parent) in (".", folder):
        return shipped[stem]
    raise UserError(f"no {kind} at '{name}': give a YAML file or a shipped {kind}; {did_you_mean(stem, shipped)}")


def validated(
    kind: type[M], values: dict[str, Any], overrides: Sequence[str], path: Path | None = None,
    node: yaml.Node | None = None,
) -> M:  # fmt: skip
    """Apply ``section.key=value`` strings to values and validate them.

    Args:
        kind: The class of the settings.
        values: Their values; changed in place.
        overrides: See ``load_settings``.
        path: The file that the values are of, for errors.
        node: The same as composed YAML, for line numbers.

    Raises:
        DataError: see ``load_settings``.
    """
    for override in overrides:
        _apply_override(values, override)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        location = [part for part in first["loc"] if isinstance(part, (str, int))] or _named_key(kind, first["msg"])
        from_override = any(o.split("=")[0] == ".".join(map(str, location)) for o in overrides)
        where = "--set" if from_override or path is None else path
        line = None if from_override else _line_of(node, location)
        raise DataError(
            where, _explain_error(kind, dict(first), location), line=line, field=".".join(map(str, location))
        ) from error


def _called(kind: type[BaseModel]) -> str:
    return "recipe" if kind.__name__ == "Recipe" else "settings file"


def _refuse_duplicate_keys(path: Path, node: yaml.Node | None) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if str(key.value) in seen:
                raise DataError(path, "is given twice", line=key.start_mark.line + 1, field=str(key.value))
            seen.add(str(key.value))
            _refuse_duplicate_keys(path, value)


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, equals, raw = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise UserError(f"--set {override}: give SECTION.KEY=VALUE, such as --set training.epochs=2")
    try:
        value = parse_yaml(raw)
    except yaml.YAMLError as error:
        raise UserError(
            f"--set {override}: the value is not valid YAML ({getattr(error, 'problem', error)})"
        ) from error
    if isinstance(value, str) and "e" in value.lower():
        # YAML 1.1 reads 1e-4 as text; in a recipe it is always a number.
        try:
            value = float(value)
        except ValueError:
            value = str(value)
    target = values
    for part in parts[:-1]:
        if not isinstance(target.get(part), dict):
            target[part] = {}
        target = target[part]
    target[parts[-1]] = value


def _line_of(node: yaml.Node | None, location: Sequence[str | int]) -> int | None:
    """Return the 1-based line of a key in a composed YAML document; of its nearest parent if it is not there."""
    line = None
    for part in location:
        found = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    line, found = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
            line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    return line


def _named_key(kind: type[BaseModel], message: str) -> list[str | int]:
    """Return the key that a check of the whole recipe names first (``section.key: ...``)."""
    found = re.match(r"Value error, ([a-z_]+)(?:\.([a-z_]+))?[: ]", message)
    if found is None or found[1] not in kind.model_fields:
        return []
    return [part for part in found.groups() if part]


def _explain_error(kind: type[BaseModel], error: dict[str, Any], location: Sequence[str | int]) -> str:
    if error["type"] == "extra_forbidden":
        section = kind
        for part in location[:-1]:
            # A part that is no field is a place in a list or mapping; what lies there was found with the part before.
            if isinstance(part, str) and part in section.model_fields:
                section = _section_of(section.model_fields[part].annotation) or section
        known = [field.alias or name for name, field in section.model_fields.items()]
        return f"unknown key; {did_you_mean(str(location[-1]), known)}"
    problem = error["msg"].removeprefix("Value error, ")
    problem = problem[0].lower() + problem[1:]
    given = error.get("input")
    return problem if isinstance(given, dict | BaseModel) else f"{problem}, not {given!r:.80}"


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the settings that an annotation is, or has among its members: of a union, a list, a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((s for member in typing.get_args(annotation) if (s := _section_of(member)) is not None), None)


def explain_settings(kind: type[BaseModel]) -> str:
    """Return every key of settings of any kind as commented YAML: meaning, type and default."""
    lines = [f"# Every key of a {_called(kind)} with its default. Keys that are left out keep it.", ""]
    for name, field in kind.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            lines += ["", f"# {(annotation.__doc__ or '').strip().splitlines()[0]}", f"{name}:"]
            for key, sub in annotation.model_fields.items():
                default = sub.get_default(call_default_factory=True)
                lines.append(f"  # {sub.description or ''} ({_type_name(sub.annotation)})")
                lines.append(f"  {key}: {_yaml_value(default)}")
        else:
            lines += [f"# {field.description or ''} ({_type_name(annotation)})"]
            lines.append(f"{field.alias or name}: {_yaml_value(field.get_default(call_default_factory=True))}")
    return "\n".join(lines) + "\n"


def _yaml_value(value: Any) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    value = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()


def _type_name(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is Literal:
        return " | ".join(str(a) for a in arguments)
    if origin in (typing.Union, types.UnionType):
        return " | ".join("empty" if a is type(None) else _type_name(a) for a in arguments)
    if origin in (tuple, list):
        return f"list of {_type_name(arguments[0])}"
    if origin is dict:
        return "mapping"
    if origin is typing.Annotated:
        return _type_name(arguments[0])
    return {"str": "text", "bool": "true | false", "int": "whole number", "float": "number"}.get(
        getattr(annotation, "__name__", ""), str(getattr(annotation, "__name__", annotation))
    )
