"""The output of an execution: the summary of its run, and what became of the publication."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def output_of(summary: Mapping[str, Any], published: Mapping[str, Any]) -> dict[str, Any]:
    """Return the output of a run that is published, as far as it was to be."""
    message = said_of(summary, published)
    return {**summary, **with_publishing(summary, published), "message": message, "published": dict(published)}


def said_of(summary: Mapping[str, Any], published: Mapping[str, Any]) -> str:
    """Return a run's sentence, and what was published. That of an incomplete run ends with what to type next."""
    message = str(summary.get("message", ""))
    return f"{message}; {published['message']}" if summary.get("outcome") == "succeeded" else message


def with_publishing(summary: Mapping[str, Any], published: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run cost with its publication, if both are known; what the summary says is without."""
    if "estimated_cost" not in summary or "estimated_cost" not in published:
        return {}
    return {
        "estimated_cost": round(summary["estimated_cost"] + published["estimated_cost"], 6),
        "cost_arithmetic": [*summary["cost_arithmetic"], *published["cost_arithmetic"]],
    }
