"""A run whose files are gone cannot be published, and does not stand in the way of the next one."""

from __future__ import annotations

import pytest

from pageturner.errors import CannotPublishError, SinkError
from tests.histories import Process, World, item, listed


@pytest.mark.parametrize("most_rows", [1000, 2])
@pytest.mark.parametrize("page", [1, 2])
def test_a_page_that_is_gone(page: int, most_rows: int) -> None:
    world = World(most_rows)
    world.publish(world.run({"l1": listed([item("a")], [item("b")])}))
    broken = world.run({"l1": listed([item("a", "2")], [item("c")])})
    del world.s3.objects[f"items/crawl=c/date={broken.run.date}/run=run-02/l1-1-{page:08d}.jsonl.gz"]
    with pytest.raises(CannotPublishError, match="a page of the run is gone"):
        world._publish(broken, Process(), "")
    assert world.state().pending is None
    third = world.run({"l1": listed([item("a", "2")], [item("c")])})
    summary = world._publish(third, Process(), "")
    assert {kind: summary["published"][kind] for kind in ("new", "changed", "gone")} == {
        "new": 1,
        "changed": 1,
        "gone": 1,
    }
    assert {sk for _, sk in world.rows()} == {"a", "c"}


def test_events_that_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    ran = world.run({"l1": listed([item("a")])})
    answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}, {"EventId": "1"}]}
    with monkeypatch.context() as patch:
        patch.setattr(world.events, "put_events", lambda **_: answer)
        with pytest.raises(SinkError, match="did not take the events of a run: ThrottlingException"):
            world.publish(ran)
    world.check(world.publish(ran))
    assert [event["DetailType"] for event in world.events.sent] == ["Run finished", "Items changed"]
