"""What people see of a run: its listings with their verdicts, what is published, and what DynamoDB has."""

from __future__ import annotations

import json
from typing import Any

from pageturner.stores.keys import published_key, table_prefix
from tests.machines.publishing_services import parquet_rows
from tests.machines.world import World


def outcome(world: World, run_id: str) -> dict[str, Any]:
    """Return it as JSON. What is listed or published twice is there twice."""
    manifest = world.whole_manifest(json.loads(world.s3.objects[f"runs/{run_id}/manifest.json"].body))
    listings = {
        target["parameters"]["Bucket"]: {
            "verdict": target["verdict"],
            "items": sorted(
                line["item"]
                for file in manifest["files"]
                if file["target_id"] == target["target_id"]
                for line in world.lines(file["key"])
            ),
        }
        for target in manifest["targets"]
    }
    row = world.dynamodb.tables["runs"]["published#c", "published"]
    assert "pending" not in row
    current = json.loads(row["current"]["S"])
    assert published_key("c", current["number"]) in world.s3.objects
    prefix = table_prefix("c", current["name"])
    rows = parquet_rows([found.body for key, found in world.s3.objects.items() if key.startswith(prefix)])
    items = [each for (pk, _), each in world.dynamodb.tables["items"].items() if pk != "c"]
    return {
        "run_id": run_id,
        "listings": listings,
        "published": sorted([each["listing"], each["item"]] for each in rows),
        "items_table": sorted([each["pk"]["S"].partition("#")[2], each["item"]["S"]] for each in items),
    }
