"""The schedules notice when the code loses what protects it: each of these breaks turns them red."""

from __future__ import annotations

from functools import partial
from itertools import chain

import pytest

from tests.machines.breaks import (
    Break,
    a_retry_looks_like_a_redrive,
    all_passes,
    broken_definitions,
    glue_without_number,
    glue_without_version,
    put_without_condition,
    replaced,
    replaces_always,
    told_too_much,
    update_without_condition,
    without_retry_of,
    write_without_condition,
)
from tests.machines.publishing_schedule import PublishingSchedule
from tests.machines.schedule import Schedule
from tests.machines.world import Definitions, Violation

BY_TARGET = "pageturner.finish.manifest.by_target"
TELLER = "pageturner.publish.telling.Teller"
HOW = "pageturner.publish.plan_making._how"
BEGINS_ANEW = "pageturner.plan.planning._BEGINS_ANEW"
# Each with seeds of schedules that noticed it, which are tried first.
PUBLISHING = partial(Break, schedule=PublishingSchedule)
BREAKS = [
    Break("the second writer of a page wins", put_without_condition("items/"), seeds=(56, 57)),
    Break("the last writer of a targets file wins", put_without_condition("/targets"), seeds=(1845,)),
    Break("the last writer of a manifest wins", put_without_condition("/manifest"), seeds=(166, 465)),
    PUBLISHING(
        "items are written through a fence", write_without_condition("fence#", "", "ConditionCheck"), seeds=(9,)
    ),
    Break("a fence is moved back", write_without_condition("fence#", "", "Update"), seeds=(374,)),
    PUBLISHING("a publication begins beside another", update_without_condition("SET pending"), seeds=(3,)),
    PUBLISHING("a publication is committed again", update_without_condition("SET #current"), seeds=(17, 23)),
    PUBLISHING(
        "whoever is late finishes another publication", update_without_condition("REMOVE pending"), seeds=(192,)
    ),
    Break("the last writer of a plan wins", put_without_condition("/plan.json")),
    Break("the last writer of a table's file wins", put_without_condition("tables/")),
    PUBLISHING("Glue's tables are moved back", glue_without_number, seeds=(2, 4)),
    PUBLISHING("Glue takes an update of an old version", glue_without_version, seeds=(4, 15)),
    Break("DynamoDB was told more than it was", told_too_much),
    Break("DynamoDB is never reconciled", replaced(f"{TELLER}._reconciles", lambda _: False)),
    Break("listings that are older replace newer ones", replaced(HOW, replaces_always)),
    Break("anybody gets the lock", write_without_condition("lock#", "lock", "Put"), seeds=(33, 46)),
    Break("a run begins again", write_without_condition("run#", "run", "Put"), seeds=(1, 9)),
    Break("the pages of an abandoned pass count", replaced(BY_TARGET, all_passes), seeds=(53, 68)),
    Break("a resumption goes on with the token that was refused", replaced(BEGINS_ANEW, set()), seeds=(53, 68)),
    Break("a function that died is not invoked again", edit=without_retry_of("Runtime.ExitError"), seeds=(12, 69)),
    Break("FailRun takes a retry for a redrive", edit=a_retry_looks_like_a_redrive, seeds=(115, 124)),
]


def is_green(schedule: Schedule) -> bool:
    try:
        schedule.play()
    except Violation:
        return False
    return True


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_a_break_is_noticed(definitions: Definitions, broken: Break) -> None:
    for seed in chain(broken.seeds, range(broken.within)):
        with pytest.MonkeyPatch.context() as patch:
            broken.patch(patch)
            is_noticed = not is_green(broken.schedule(seed, broken_definitions(definitions, broken)))
        if is_noticed and is_green(broken.schedule(seed, definitions)):
            return
    pytest.fail(f"none of the schedules {broken.seeds}, and of the first {broken.within}, notices it")
