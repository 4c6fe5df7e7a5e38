"""Checks that no two tables of a catalogue have the same name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.operations import plain_crawls
from pageturner.table_names import RESERVED, TABLE_OF_ALL, history_name, operation_table_name, table_name


def same_tables(names: Iterable[str]) -> Iterator[str]:
    """Yield a line for each crawl whose tables would have the name of another table."""
    taken = dict.fromkeys(RESERVED, "of all crawls")
    for name in names:
        tables = (table_name(name), history_name(name))
        same = [f'its table "{table}" would be that {taken[table]}, too' for table in tables if table in taken]
        if same:
            yield f"crawls.{name}: {same[0]}; rename the crawl"
        taken.update(dict.fromkeys(tables, f"of crawls.{name}"))


def same_tables_of_operations(crawls: Mapping[str, Crawl]) -> Iterator[str]:
    """Yield a line for each crawl whose tables have the name of a table of a crawl of several operations."""
    taken = {table(name): name for name in crawls for table in (table_name, history_name)}
    for name, crawl in crawls.items():
        own = [f"{each.service}:{each.operation}" for each in plain_crawls(crawl)] if crawl.operations else []
        tables = (operation_table_name(name, table) for table in (*own, *([TABLE_OF_ALL] if own else [])))
        if same := next((table for table in tables if table in taken), None):
            yield f'crawls.{name}: its table "{same}" would be that of {taken[same]}, too; rename one of the two'
