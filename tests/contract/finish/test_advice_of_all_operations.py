"""The advice on every operation of every service, for every error that its model declares, as botocore words it."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from pageturner.crawls.crawl import Crawl
from pageturner.finish.advice import advice, code_of
from pageturner.paging import api


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
            denied = {"verdict": "denied", "error": "AccessDeniedError", "cause": "x"}
            text = advice(Crawl("c", service, operation), denied).text
            assert re.match(r"Allow [a-z0-9-]+:[A-Za-z0-9]+: ", text), text
    assert (operations, errors) == (19_796, 112_039)
