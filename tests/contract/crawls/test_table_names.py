"""The tables of crawls from the console, whose names come from botocore: no two have the same name."""

from __future__ import annotations

from pageturner.crawls.crawl import ADHOC_PREFIX
from pageturner.paging import api
from pageturner.table_names import HISTORY, RESERVED, history_name, table_name


def test_no_two_crawls_from_the_console_share_a_table() -> None:
    crawls = [
        f"{ADHOC_PREFIX}{service}-{operation}"
        for service in api.service_names()
        for operation in api.operation_names(service)
    ]
    # ssm get_parameter_history would have the name of the history of ssm get_parameter.
    assert any(table_name(name).endswith(HISTORY) for name in crawls)
    tables = [*RESERVED, *(table(name) for name in crawls for table in (table_name, history_name))]
    assert len(tables) == len(set(tables)) == 3 + 2 * 19_796
    assert max(map(len, tables)) <= 255  # Glue API Reference, TableInput
