"""One cattrs converter for all config classes: strict about types, and every mistake with its path."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import attrs
from cattrs import BaseValidationError, ClassValidationError, Converter, ForbiddenExtraKeysError, IterableValidationError
from cattrs.errors import IterableValidationNote, StructureHandlerNotFoundError
from cattrs.gen import make_dict_structure_fn, override

from hallway.config import kinds
from hallway.errors import UNKNOWN_KEY, ConfigError, Mistake

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]


class Wrong(ValueError):
    """A value that its key does not take: a clause, and what to write instead or ""."""

    def __init__(self, problem: str, suggestion: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.suggestion = suggestion


def structure(cls: type[T], raw: object, path: str = "") -> T:
    """Make a ``cls`` of what TOML gives; ``raw`` is left as it is.

    Raises:
        ConfigError: with every mistake, each under ``path``.

    """
    try:
        return _converter().structure(raw, cls)
    except (Wrong, BaseValidationError, StructureHandlerNotFoundError, NameError) as error:
        raise ConfigError(tuple(_mistakes(error, path))) from error


def unknown_key(path: str, key: object, known: Iterable[str]) -> Mistake:
    """The mistake that ``key`` does not exist under ``path``, with the nearest one that does."""
    names = tuple(known)
    near = nearest(key, names)
    return Mistake(_under(path, key), UNKNOWN_KEY, f"did you mean {near}?" if near else f"known: {', '.join(names) or 'none'}")


def nearest(key: object, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``key`` was probably meant to be, whatever its case."""
    folded = {name.lower(): name for name in known}
    near = get_close_matches(str(key).lower(), folded, n=1)
    return folded[near[0]] if near else None


@functools.cache
def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind, hook in _SCALARS.items():
        converter.register_structure_hook(kind, functools.partial(_scalar, hook))
    converter.register_structure_hook_func(lambda kind: bool(kinds.choices(kind)), _choice)
    for predicate, factory in (
        (kinds.is_list, _list_hook),
        (kinds.is_mapping, _mapping_hook),
        (kinds.is_union, _union_hook),
        (attrs.has, _class_hook),
    ):
        converter.register_structure_hook_factory(predicate, factory)
    return converter


def _scalar(hook: Hook, value: Any, kind: Any) -> Any:
    # cattrs finds these hooks by base class: an enumeration of texts comes here as well.
    return _choice(value, kind) if kinds.is_enum(kind) else hook(value, kind)


def _misfit(value: Any, kind: Any) -> Wrong:
    suggestion = f'write ["{value}"]' if kinds.is_list(kind) and isinstance(value, str) and value.isidentifier() else ""
    return Wrong(f"must be {kinds.describe(kind)}, not {kinds.describe_value(value)}", suggestion)


def _text(value: Any, kind: Any) -> str:
    if not isinstance(value, str):
        raise _misfit(value, kind)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise Wrong("must be valid UTF-8")
    return value


def _path(value: Any, kind: Any) -> Path:
    return value if isinstance(value, Path) else Path(_text(value, kind))


def _flag(value: Any, kind: Any) -> bool:
    if not isinstance(value, bool):
        raise _misfit(value, kind)
    return value


def _whole(value: Any, kind: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _misfit(value, kind)
    return value


def _number(value: Any, kind: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _misfit(value, kind)
    try:
        number = float(value)
    except OverflowError:
        raise Wrong("must be a number of 64 bits") from None
    if not math.isfinite(number):
        raise Wrong("must be finite")
    return number


def _choice(value: Any, kind: Any) -> Any:
    allowed = kinds.choices(kind)
    if not any(type(value) is type(choice) and value == choice for choice in allowed):
        near = get_close_matches(value, [choice for choice in allowed if isinstance(choice, str)], n=1) if isinstance(value, str) else []
        raise Wrong(f"must be {kinds.describe(kind)}", f"did you mean {near[0]!r}?" if near else "")
    return kind(value) if kinds.is_enum(kind) else value


_SCALARS: Mapping[Any, Hook] = {
    str: _text,
    Path: _path,
    bool: _flag,
    int: _whole,
    float: _number,
}


def _list_hook(kind: Any, converter: Converter) -> Hook:
    make = list if kinds.describe(kind) == "a list" and _origin(kind) is list else tuple

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise _misfit(value, kind)
        wanted = kinds.element_kinds(kind, len(value))
        if wanted is None:
            raise Wrong(f"must have {kinds.describe_elements(kind)}, not {len(value)}")
        return make(_each(enumerate(value), wanted, kind, converter).values())

    return hook


def _origin(kind: Any) -> Any:
    return getattr(kind, "__origin__", kind)


def _mapping_hook(kind: Any, converter: Converter) -> Hook:
    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _misfit(value, kind)
        if not all(isinstance(key, str) for key in value):
            raise Wrong("must have text keys")
        return _each(value.items(), (kinds.value_kind(kind),) * len(value), kind, converter)

    return hook


def _each(items: Iterable[tuple[Any, Any]], wanted: Iterable[Any], kind: Any, converter: Converter) -> dict[Any, Any]:
    """Structure every item, or raise all their errors together, each with its index or key."""
    results: dict[Any, Any] = {}
    errors: list[Exception] = []
    for (index, item), item_kind in zip(items, wanted, strict=True):
        try:
            results[index] = converter.structure(item, item_kind)
        except (Wrong, BaseValidationError, StructureHandlerNotFoundError) as error:
            error.add_note(IterableValidationNote("while reading an element", index, item_kind))
            errors.append(error)
    if errors:
        raise IterableValidationError("in a list or table", errors, kind)
    return results


def _union_hook(kind: Any, converter: Converter) -> Hook:
    alternatives = kinds.members(kind)

    def hook(value: Any, _: Any) -> Any:
        if value is None and type(None) in kind.__args__:
            return None
        failures = {}
        for alternative in alternatives:
            try:
                return converter.structure(value, alternative)
            except (Wrong, BaseValidationError) as error:
                failures[alternative] = error
        close = [error for alternative, error in failures.items() if len(failures) == 1 or _resembles(value, alternative)]
        raise close[0] if len(close) == 1 else _misfit(value, kind)

    return hook


def _resembles(value: Any, kind: Any) -> bool:
    return kinds.describe(kind) == kinds.describe_value(value)


def _class_hook(cls: Any, converter: Converter) -> Hook:
    fields = [field for field in attrs.fields(attrs.resolve_types(cls)) if field.init]
    overrides = {field.name: override(struct_hook=_field_hook(field, converter)) for field in fields}
    read = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True, **overrides)  # type: ignore[arg-type]

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _misfit(value, cls)
        return read(value, cls)

    return hook


def _field_hook(field: attrs.Attribute[Any], converter: Converter) -> Hook:
    check, hint = field.metadata.get("check"), field.metadata.get("help", "")

    def hook(value: Any, _: Any) -> Any:
        try:
            result = value if field.type is None else converter.structure(value, field.type)
        except Wrong as wrong:
            raise Wrong(wrong.problem, wrong.suggestion or hint) from None
        problem = check(result) if check else None
        if problem:
            raise _objection(problem, hint, field.type)
        return result

    return hook


def _objection(problem: str | Mapping[Any, str], hint: str, kind: Any) -> Exception:
    """What a check says of a value, or of entries of it."""
    if isinstance(problem, str):
        return Wrong(problem, hint)
    errors = []
    for key, clause in problem.items():
        errors.append(Wrong(clause, hint))
        errors[-1].add_note(IterableValidationNote("while checking an element", key, kind))
    return IterableValidationError("in a list or table", errors, kind)


def _mistakes(error: BaseException, path: str) -> Iterator[Mistake]:
    match error:
        case ClassValidationError() | IterableValidationError():
            noted, bare = error.group_exceptions()
            misspelt = {key for inner in bare for key in _misspelt(inner)}
            for inner, note in noted:
                key = note.index if isinstance(note, IterableValidationNote) else note.name
                if not (key in misspelt and _is_missing(inner, key)):
                    yield from _field_mistakes(error.cl, inner, path, key)
            for inner in bare:
                yield from _mistakes(inner, path)
        case ForbiddenExtraKeysError():
            known = [field.name for field in attrs.fields(error.cl)]
            yield from (unknown_key(path, key, known) for key in sorted(error.extra_fields, key=str))
        case ConfigError():
            # A class that checks keys against each other names the one that is wrong.
            yield from (attrs.evolve(mistake, path=_under(path, mistake.path)) for mistake in error.mistakes)
        case Wrong():
            yield Mistake(path or "the configuration", error.problem, error.suggestion)
        case StructureHandlerNotFoundError() | NameError():
            yield Mistake(path or "the configuration", f"the config class cannot be read: {error}", "tell its author")
        case _:
            yield Mistake(path or "the configuration", f"is refused: {kinds.shown(error) or type(error).__name__}")


def _field_mistakes(cls: Any, error: BaseException, path: str, key: int | str) -> Iterator[Mistake]:
    if _is_missing(error, key):
        yield Mistake(_under(path, key), "is missing", attrs.fields_dict(cls)[str(key)].metadata.get("help", ""))
    else:
        yield from _mistakes(error, _under(path, key))


def _is_missing(error: BaseException, key: int | str) -> bool:
    return isinstance(error, KeyError) and error.args == (key,)


def _misspelt(error: BaseException) -> Iterator[str]:
    """The keys that unknown ones were probably meant to be: that they are missing as well needs no words."""
    if isinstance(error, ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(error.cl)]
        yield from (near for key in error.extra_fields if (near := nearest(key, known)))


def _under(path: str, key: object) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{kinds.shown(key)}" if path else kinds.shown(key)
