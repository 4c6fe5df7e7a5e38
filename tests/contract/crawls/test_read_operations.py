"""Which operations can be crawled, over all that botocore has, held against AWS's own access levels."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

from local.read_operations import READ_OPERATIONS, READING_LEVELS, access_level, lines
from pageturner.crawls.iam_actions import iam_action
from pageturner.crawls.read_only import _ACTING, _READING, refusal
from pageturner.paging import api
from pageturner.paging.paginators import NEVER_ENDING, paginator_of

REFERENCE = Path(__file__).parents[3] / "docs" / "reference.md"
# The first words of the operations that can be crawled. A new one has to be looked at: what AWS classes as Read is not
# always nothing but reading.
WORDS = (
    "admin agentic analyze apply autocomplete batch calculate carrier check classify compare contains count create "
    "describe detect discover domain download estimate evaluate execute export filter forecast generate geocode get "
    "head infer is list lookup optimize phone predict prepare preview probe query recognize render rescore resolve "
    "retrieve reverse scan search select simulate snap suggest synthesize test transact translate validate verify view"
)


@cache
def every_operation() -> list[tuple[str, str]]:
    return [(service, operation) for service in api.service_names() for operation in api.operation_names(service)]


def test_the_file_is_what_the_models_and_the_access_levels_make_of_it() -> None:
    assert READ_OPERATIONS.read_text(encoding="utf-8") == lines(), "run make read-operations, and read the diff"


def test_nothing_is_accepted_that_aws_does_not_class_as_reading() -> None:
    accepted = [each for each in every_operation() if refusal(*each) is None]
    levels = {each: access_level(iam_action(*each)) for each in accepted}
    assert {each for each, level in levels.items() if level not in READING_LEVELS} == _READING
    assert (len(every_operation()), len(accepted)) == (19_796, 8_289)
    assert {operation.partition("_")[0] for _, operation in accepted} == set(WORDS.split())


def test_every_refusal_has_its_reason() -> None:
    reasons = [(each, reason) for each in every_operation() if (reason := refusal(*each))]
    kinds: Counter[str] = Counter()
    for (service, operation), reason in reasons:
        action = iam_action(service, operation)
        assert "Pageturner only reads" in reason
        assert f"{service} {operation}" in reason
        assert action in reason
        level = access_level(action)
        if level in READING_LEVELS:
            kinds["acts"] += 1
            assert reason.startswith(f"Pageturner only reads, and {service} {operation} ({action}) ")
        elif level is None:
            kinds["unknown"] += 1
            assert reason.endswith(f"the Service Authorization Reference does not have its IAM action, {action}")
        else:
            kinds["writes"] += 1
            assert reason.endswith(f"needs {action}, which AWS classes as neither List nor Read")
    assert kinds == {"writes": 10_739, "unknown": 711, "acts": 57}


def test_the_exceptions_are_exceptions() -> None:
    for each in _ACTING:
        assert access_level(iam_action(*each)) in READING_LEVELS
    for each in _READING:
        assert access_level(iam_action(*each)) not in (*READING_LEVELS, None)


def test_what_is_known_to_write_cannot_be_crawled() -> None:
    for each in [
        ("iam", "put_role_policy"),
        ("ec2", "terminate_instances"),
        ("s3", "delete_objects"),
        ("s3", "create_session"),
        ("apigateway", "delete_rest_api"),
        ("apigatewayv2", "reset_authorizers_cache"),
        ("budgets", "execute_budget_action"),
        ("keyspaces", "restore_table"),
        ("dynamodb", "execute_statement"),
        ("dynamodb", "batch_execute_statement"),
        ("rds-data", "execute_statement"),
        ("redshift-data", "execute_statement"),
        ("lambda", "invoke"),
        ("swf", "poll_for_decision_task"),
        ("sqs", "receive_message"),
        ("sts", "assume_role"),
    ]:
        assert refusal(*each) is not None, each


def test_the_reference_counts_what_can_be_crawled() -> None:
    found: Counter[str] = Counter()
    for each in every_operation():
        if refusal(*each) is not None:
            continue
        paginator = paginator_of(*each, {})
        if each in NEVER_ENDING or paginator.refused:
            found["refused"] += 1
        elif paginator.missing:
            found["stated"] += 1
        else:
            found[paginator.source] += 1
            assert "result_key" in paginator.definition
    assert found == {"official": 3_329, "inferred": 846, "one page": 3_910, "stated": 116, "refused": 88}
    text = REFERENCE.read_text(encoding="utf-8")
    for row in (
        "(`official`) | 3,329",
        "(`inferred`) | 846",
        "(`one page`) | 3,910",
        "(`stated`) | 116",
        "nothing: it is refused | 88",
        "List or Read | 8,276",
        "the operation does more | 57",
        "Permissions management | 10,739",
        "the operation only reads | 13",
        "not in the reference | 711",
    ):
        assert f"{row} |" in text
