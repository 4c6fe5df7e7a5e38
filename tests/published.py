"""Publishes runs in tests, by PublishRun itself."""

from __future__ import annotations

from typing import Any

from pageturner.stores import Stores
from tests.conftest import Aws, Machines


def publish_as_it_is(run_id: str) -> dict[str, Any]:
    """Publish a run that has ended, and return its summary."""
    found = Stores.of_environment().runs.find(run_id)
    assert found is not None
    return Machines().publish({"run_id": run_id, "generation": found.generation})


def run_and_publish(aws: Aws, machines: Machines, crawl_name: str = "c") -> dict[str, Any]:
    """Run a crawl of the catalogue, publish it, and return its summary."""
    return machines.publish(machines.run(aws, {"crawl": crawl_name}))
