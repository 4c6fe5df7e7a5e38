"""The schedules notice when the code loses what protects it: each of these breaks turns one red, or a scenario."""

from __future__ import annotations

from functools import partial
from itertools import chain

import pytest

from tests.machines.breaks import (
    Break,
    a_retry_looks_like_a_redrive,
    all_passes,
    all_targets,
    any_place_is_handed_over,
    broken_definitions,
    glue_without_number,
    glue_without_version,
    hand_overs_are_not_counted,
    put_without_condition,
    replaced,
    replaces_always,
    short_verdicts_without_condition,
    told_too_much,
    update_without_condition,
    without_retry_of,
    write_without_condition,
)
from tests.machines.publishing_schedule import PublishingSchedule
from tests.machines.scenarios import (
    ADeadFailRun,
    ADeadFunction,
    ALateChild,
    ALateManifest,
    ALateMove,
    ALatePage,
    ARefusingTable,
    OtherStaleItems,
)
from tests.machines.schedule import Schedule
from tests.machines.world import Definitions, Violation

RECONCILES = "pageturner.publish.telling.Teller._reconciles"
HOW = "pageturner.publish.plan_making._how"
ENDED = "pageturner.stores.checkpoints.CheckpointStore.ended"
BEGINS_ANEW = "pageturner.plan.unfinished._BEGINS_ANEW"
FENCE = write_without_condition("fence#", "", "ConditionCheck")
PUBLISHING = partial(Break, schedule=PublishingSchedule)
# A scenario needs no seed that leads to it.
CERTAINLY = partial(Break, seeds=(0,), within=0)
# Each with seeds of schedules that noticed it, which are tried first.
BREAKS = [
    CERTAINLY("the second writer of a page wins", put_without_condition("items/"), schedule=ALatePage),
    CERTAINLY("the last writer of a manifest wins", put_without_condition("/manifest"), schedule=ALateManifest),
    Break("anybody gets the lock", write_without_condition("lock#", "lock", "Put"), seeds=(33,)),
    Break("anybody takes a trigger", write_without_condition("trigger#", "", "Put"), seeds=(4,)),
    Break("a run begins again", write_without_condition("run#", "run", "Put"), seeds=(14,)),
    Break("the pages of an abandoned pass count", all_passes, seeds=(59,)),
    Break("a resumption goes on with the token that was refused", replaced(BEGINS_ANEW, set()), seeds=(59,)),
    CERTAINLY(
        "a function that died is not invoked again",
        edit=without_retry_of("Runtime.ExitError"),
        schedule=ADeadFunction,
    ),
    CERTAINLY("FailRun takes a retry for a redrive", edit=a_retry_looks_like_a_redrive, schedule=ADeadFailRun),
    CERTAINLY(
        "a short target's verdict replaces another",
        edit=short_verdicts_without_condition,
        schedule=ALateChild,
    ),
    Break("what has turned a page counts as ended", replaced(ENDED, all_targets), seeds=(8,)),
    Break("a target that has ended is gone on with", edit=any_place_is_handed_over, seeds=(1,)),
    Break("hand-overs are not counted", edit=hand_overs_are_not_counted, seeds=(49,)),
    PUBLISHING("items are written through a fence", FENCE, seeds=(19,)),
    PUBLISHING("a publication begins beside another", update_without_condition("SET pending"), seeds=(2,)),
    PUBLISHING("a publication is committed again", update_without_condition("SET #current"), seeds=(0,)),
    PUBLISHING("whoever is late finishes another's", update_without_condition("REMOVE pending"), seeds=(18,)),
    PUBLISHING("Glue's tables are moved back", glue_without_number, seeds=(2,)),
    CERTAINLY("Glue takes an update of an old version", glue_without_version, schedule=ALateMove),
    CERTAINLY("DynamoDB was told more than it was", told_too_much, schedule=ARefusingTable),
    CERTAINLY("DynamoDB is never reconciled", replaced(RECONCILES, lambda _: False), schedule=OtherStaleItems),
    PUBLISHING("listings that are older replace newer ones", replaced(HOW, replaces_always), seeds=(8, 7)),
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
