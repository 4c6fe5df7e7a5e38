"""Bounds what a JMESPath expression may be, and what it may do: one line of text can ask for gigabytes.

Most expressions find parts of a value, and take no longer than reading it. Those that make new values can multiply it
(``[@, @][] | [@, @][] | …``), so their steps are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.lexer import Lexer
from jmespath.visitor import Options, TreeInterpreter, _Expression

from pageturner.errors import UNEXPECTED_VALUES

# The longest expression of botocore's own paginators has 151 characters.
LONGEST_EXPRESSION = 4_096
# How deeply brackets, and operators, may be nested. Python's stack has room for some 200.
DEEPEST_EXPRESSION = 100
# How many steps the evaluations of an expression on the items of a page, or on the page, may take together: FetchPage
# has a fifth of a processor, and does a million in some ten seconds.
MOST_STEPS = 1_000_000
# This much text takes about as long as a step.
_CHARACTERS_PER_STEP = 30
_OPENS = {"lparen", "lbracket", "lbrace", "filter"}
_CLOSES = {"rparen", "rbracket", "rbrace"}
# What finds parts of a value, or says whether there are some.
_FINDS_PARTS = {
    *("and_expression", "comparator", "current", "field", "filter_projection", "flatten", "identity", "index"),
    *("index_expression", "literal", "not_expression", "or_expression", "pipe", "projection", "slice", "subexpression"),
    "value_projection",
}


class ExpressionLimitError(JMESPathError):  # type: ignore[misc]
    """An expression is too long or too deep, or takes too many steps; the message says which."""


def compiled(expression: str) -> Any:
    """Return what ``jmespath.compile`` returns. Raises `JMESPathError`, and `ExpressionLimitError`, which is one."""
    if len(expression) > LONGEST_EXPRESSION:
        raise ExpressionLimitError(f"it has {len(expression):,} characters, and may have {LONGEST_EXPRESSION:,}")
    try:
        depth = deepest = 0
        for token in Lexer().tokenize(expression):
            depth += (token["type"] in _OPENS) - (token["type"] in _CLOSES)
            deepest = max(deepest, depth)
        found = jmespath.compile(expression) if deepest <= DEEPEST_EXPRESSION else None
    except RecursionError:
        found = None
    except UNEXPECTED_VALUES as error:
        if isinstance(error, JMESPathError):
            raise
        # Of Python: a number of thousands of digits.
        raise ExpressionLimitError(f"jmespath cannot read it: {type(error).__name__}") from error
    if found is None or any(level > DEEPEST_EXPRESSION for _, level in _nodes(found.parsed)):
        raise ExpressionLimitError(f"it is nested more than {DEEPEST_EXPRESSION} deep")
    return found


def finds_parts(expression: Any) -> bool:
    """Whether a compiled expression only finds parts of a value, so that it cannot find more than there is."""
    return all(node["type"] in _FINDS_PARTS for node, _ in _nodes(expression.parsed))


class Steps:
    """Counts the steps that evaluations may still take together."""

    def __init__(self, most: int = MOST_STEPS) -> None:
        self._most = self._left = most

    def take(self, steps: int) -> None:
        """Count some steps. Raises `ExpressionLimitError` if there are too many."""
        self._left -= steps
        if self._left < 0:
            raise ExpressionLimitError(
                f"it takes more than {self._most:,} steps; make it simpler, or the pages smaller"
            )

    def take_for(self, value: Any) -> None:
        """Count what it takes to read a value as a whole, where it has a part twice too."""
        left = [value]
        while left:
            each = left.pop()
            self.take(1 + (len(each) // _CHARACTERS_PER_STEP if isinstance(each, str | bytes) else 0))
            if isinstance(each, dict):
                left.extend(each.values())
            elif isinstance(each, list):
                left.extend(each)
            elif isinstance(each, _Expression):
                raise JMESPathError("it finds an expression (&) in place of a value")


def evaluation(expression: Any) -> Callable[[Any, Steps | None], Any]:
    """Return what evaluates a compiled expression. It raises `JMESPathError`, whatever goes wrong."""
    counted = not finds_parts(expression)

    def evaluate(value: Any, steps: Steps | None = None) -> Any:
        try:
            if not counted:
                return expression.search(value)
            steps = steps or Steps()
            found = _Interpreter(steps).visit(expression.parsed, value)
            steps.take_for(found)
        except RecursionError as error:
            raise ExpressionLimitError("a value is nested too deeply for it") from error
        except UNEXPECTED_VALUES as error:
            if isinstance(error, JMESPathError):
                raise
            # Of Python, where jmespath does not look first: a step of 0 in a slice, the ceiling of infinity.
            raise JMESPathError(type(error).__name__) from error
        return found

    return evaluate


class _Interpreter(TreeInterpreter):  # type: ignore[misc]
    def __init__(self, steps: Steps) -> None:
        super().__init__(Options(custom_functions=_Functions(steps)))
        self._steps = steps
        self.COMPARATOR_FUNC = {
            name: partial(_compared, steps, compare) for name, compare in TreeInterpreter.COMPARATOR_FUNC.items()
        }

    def visit(self, node: Any, *arguments: Any, **named: Any) -> Any:
        found = super().visit(node, *arguments, **named)
        self._steps.take(1 + (len(found) if isinstance(found, list) else 0))
        return found


class _Functions(Functions):  # type: ignore[misc]
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def call_function(self, function_name: str, resolved_args: list[Any]) -> Any:
        for argument in resolved_args:
            if not isinstance(argument, _Expression):
                self._steps.take_for(argument)
        match function_name, resolved_args:
            case "join", [str(glue), list(parts)]:
                self._steps.take(len(glue) * len(parts) // _CHARACTERS_PER_STEP)
        return super().call_function(function_name, resolved_args)


def _compared(steps: Steps, compare: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    steps.take_for(left)
    steps.take_for(right)
    return compare(left, right)


def _nodes(root: Any) -> Iterator[tuple[Any, int]]:
    """Yield the nodes of an expression's tree, each with its depth."""
    left = [(root, 1)]
    while left:
        node, depth = left.pop()
        yield node, depth
        # The children of a slice are numbers.
        left.extend((child, depth + 1) for child in node["children"] if isinstance(child, dict))
