"""What there is of a deployment at one moment, as JSON that a person can read: all objects and rows, and where each
execution is. Of it, another version of the functions can go on.

A function that was running then counts as killed.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pageturner.stores.page_body import token_in, with_token
from tests.fakes import StoredObject
from tests.machines.service import Bucket
from tests.machines.states import Failed, State
from tests.machines.world import Process, World

Json = dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """The moment `now` (seconds since 1970), and what there was then."""

    now: float
    executions: Mapping[str, Json]  # by ARN, in the order in which they began
    objects: Mapping[str, Json]
    rows: Mapping[str, Json]  # by the table and the primary key
    glue: Json
    buckets: Mapping[str, Json]
    throttled_until: float

    @classmethod
    def of(cls, world: World, places: Mapping[str, Any]) -> Snapshot:
        """Take it. `places` has the place that was last given to FetchPage in a PageLoop, by target."""
        return cls(
            world.clock.now,
            {arn: _execution(process, places) for arn, process in world.executions.items()},
            {key: _object(key, found) for key, found in sorted(world.s3.objects.items())},
            {
                " ".join((name, *key)): table[key]
                for name, table in sorted(world.dynamodb.tables.items())
                for key in sorted(table)
            },
            {
                "tables": world.glue.tables,
                "partitions": [[*key, value] for key, value in world.glue.partitions.items()],
            },
            {
                name: {"history": bucket.history, "denied": bucket.denied}
                for name, bucket in world.service.buckets.items()
            },
            world.service.throttled_until,
        )

    def restore(self, world: World, definition: State) -> list[Process]:
        """Put everything into a world, where executions of `definition` go on, and return them."""
        world.clock.now = self.now
        world.s3.objects = {key: _stored(key, found) for key, found in self.objects.items()}
        for name, row in self.rows.items():
            table = world.dynamodb.tables.setdefault(name.partition(" ")[0], {})
            table[row["pk"]["S"], row["sk"]["S"]] = dict(row)
        world.glue.tables = {name: dict(table) for name, table in self.glue["tables"].items()}
        world.glue.partitions = {(name, tuple(values)): each for name, values, each in self.glue["partitions"]}
        for name, bucket in self.buckets.items():
            history = {key: [(at, there) for at, there in each] for key, each in bucket["history"].items()}
            world.service.buckets[name] = Bucket(history, bucket["denied"])
        world.service.throttled_until = self.throttled_until
        return [_restored(world, arn, definition, found) for arn, found in self.executions.items()]


def _execution(process: Process, places: Mapping[str, Any]) -> Json:
    """Where an execution is; a child in TurnPages goes on at the place of its PageLoop."""
    given = process.machine.input
    if process.state == "TurnPages":
        given = {**given, "place": places.get(given["target"]["target_id"], given["place"])}
    found: Json = {"input": process.input, "status": process.status, "state": process.state, "state_input": given}
    if process.failure is not None:
        found["failure"] = [process.failure.error, process.failure.cause]
    if process.status == "SUCCEEDED":
        found["output"] = process.output
    if process.status == "RUNNING" and process.machine.definition["States"][process.state]["Type"] == "Map":
        found["children"] = {str(index): _execution(child, places) for index, child in process.children.items()}
        found["inputs"] = process._inputs
        found["succeeded"] = sorted(process._succeeded)
    return found


def _restored(world: World, arn: str, definition: State, found: Json) -> Process:
    process = world.executions[arn] = _process(world, arn, definition, found, world._ended)
    if "children" in found:
        processor = definition["States"][found["state"]]["ItemProcessor"]
        process._inputs, process._succeeded = found["inputs"], set(found["succeeded"])
        # What was read of a batch is read again: an Express execution cannot go on elsewhere.
        if processor["ProcessorConfig"]["ExecutionType"] == "STANDARD":
            for index, child in found["children"].items():
                restored = _process(world, f"{arn}/{index}", processor, child, lambda _: None)
                # The Map lets it go on.
                restored.status = child["status"] if child["status"] == "SUCCEEDED" else "ABORTED"
                process.children[int(index)] = restored
        process._goes_on = True
    return process


def _process(world: World, arn: str, definition: State, found: Json, on_end: Any) -> Process:
    process = Process(world, arn, definition, found["input"], on_end)
    process.status, process.output = found["status"], found.get("output")
    process.machine.state, process.machine.input = found["state"], found["state_input"]
    process.failure = Failed(*found["failure"]) if "failure" in found else None
    return process


def _object(key: str, found: StoredObject) -> Json:
    """An object: text, lines of JSON with the token in a page's header, or base64."""
    about: Json = {"metadata": dict(found.metadata)} if found.metadata else {}
    if key.endswith(".gz"):
        if (token := token_in(found.body)) is not None:
            about["token"] = token
        return {**about, "lines": [json.loads(line) for line in gzip.decompress(found.body).splitlines()]}
    if key.endswith(".parquet"):
        return {**about, "base64": base64.b64encode(found.body).decode()}
    return {**about, "text": found.body.decode().splitlines(keepends=True)}


def _stored(key: str, found: Json) -> StoredObject:
    if "lines" in found:
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in found["lines"])
        body = gzip.compress(text.encode("ascii"), mtime=0)
        body = with_token(body, found["token"]) if "token" in found else body
    elif "base64" in found:
        body = base64.b64decode(found["base64"])
    else:
        body = "".join(found["text"]).encode()
    return StoredObject(body, found.get("metadata", {}))
