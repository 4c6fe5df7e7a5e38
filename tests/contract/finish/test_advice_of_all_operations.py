"""The advice on every operation of every service, for every error that its model declares, as botocore words it."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from pageturner.crawls.crawl import Crawl
from pageturner.finish.advice import advice
from pageturner.finish.allowing import Allowing
from pageturner.finish.in_words import code_of
from pageturner.paging import api

PLACE = {"account": "111122223333", "region": "eu-west-1", "target_id": "t", "parameters": {}}


def test_every_declared_error_of_every_operation_is_named_and_every_denied_one_has_its_action() -> None:
    operations = errors = 0
    for service in api.service_names():
        model = api.service_model(service)
        for operation, name in api.operation_names(service).items():
            operations += 1
            shapes: list[Any] = model.operation_model(name).error_shapes
            declared = {shape.error_code for shape in shapes}
            for number, code in enumerate(sorted(declared | {"AccessDenied"})):
                errors += 1
                metadata = {"RetryAttempts": number, "MaxAttemptsReached": bool(number % 2)}
                answer: Any = {"Error": {"Code": code, "Message": "(No) (more): x"}, "ResponseMetadata": metadata}
                error = ClientError(answer, name)
                assert code_of({"cause": str(error)}) == code, str(error)
            denied = {"verdict": "denied", "error": "AccessDeniedError", "cause": "x", **PLACE}
            found = advice(Crawl("c", service, operation), denied)
            assert re.match(r"Allow [a-z0-9-]+:[A-Za-z0-9]+: ", found.text), found.text
            allowing = Allowing()
            assert found.allow is not None
            allowing.add(found.allow, denied)
            assert allowing.statement is not None
            assert allowing.statement["Action"] == [found.text.removeprefix("Allow ").partition(": ")[0]]
            assert all(each == "*" or each.startswith("arn:aws:") for each in allowing.statement["Resource"])
            assert "${" not in str(allowing.statement)
    assert (operations, errors) == (19_796, 112_039)
