"""The tables of crawls from the console, whose names come from botocore: no two have the same name."""

from __future__ import annotations

from pageturner.crawls.catalogue import ADHOC_PREFIX
from pageturner.paging import api
from pageturner.paging.paginators import paginator_of
from pageturner.table_names import HISTORY, RESERVED, history_name, table_name


def test_no_two_crawls_from_the_console_share_a_table() -> None:
    names: dict[str, tuple[str, str]] = {}
    for service in api.service_names():
        for operation in api.operation_names(service):
            name = table_name(f"{ADHOC_PREFIX}{service}-{operation}")
            assert name not in names, (name, names[name])
            assert name not in RESERVED
            assert len(history_name(name)) <= 255  # Glue API Reference, TableInput
            names[name] = (service, operation)
    like_a_history = [name.removesuffix(HISTORY) for name in names if name.endswith(HISTORY)]
    both = [names[name] for name in like_a_history if name in names]
    assert ("ssm", "get_parameter") in both
    # None of them can be paged.
    assert all(paginator_of(service, operation, {}).missing for service, operation in both)
