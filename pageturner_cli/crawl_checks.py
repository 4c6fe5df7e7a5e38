"""Looks at the crawls: what starts them by itself, whether they run as promised, what came of them, what they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from botocore.exceptions import ClientError

from pageturner.crawls.crawl import ADHOC_PREFIX, Crawl
from pageturner.stores.history import CrawlStatus
from pageturner_cli import asking, executions, starts
from pageturner_cli.aws_errors import is_denial
from pageturner_cli.checks import Check, Level
from pageturner_cli.deployment import Deployment
from pageturner_cli.text import ago


@dataclass(frozen=True)
class CrawlChecks:
    """Looks at the crawls of a deployment, at a time."""

    deployment: Deployment
    now: datetime

    @cached_property
    def _statuses(self) -> list[CrawlStatus]:
        return self.deployment.stores.history.crawls()

    def starts(self) -> Iterator[Check]:
        """Yield what starts crawls by itself, and which of the stack's own schedules and rules do not."""
        statuses = {each.crawl: each for each in self._statuses}
        found, gone = starts.found(self.deployment)
        if not found and not gone:
            to_do = f"schedule: in the catalogue, and {asking.make('deploy', self.deployment.asked)}"
            yield Check("schedules", "note", "nothing starts a crawl by itself", to_do)
        for name in gone:
            to_do = "take it out of the catalogue, deploy, put it back, and deploy: CloudFormation believes it is there"
            yield Check("schedules", "wrong", f"{name} is gone: somebody has deleted it", to_do)
        enabled = {start.crawl for start in found if start.is_enabled}
        for start in found:
            status = statuses.get(start.crawl)
            said = f"{start.crawl}: {start.when}, last complete {_complete(status, self.now)}"
            if start.is_enabled:
                yield Check("schedules", "ok", said)
            elif status is not None and status.promise and start.crawl not in enabled:
                # CheckCrawls, which knows the catalogue, looks every quarter of an hour.
                to_do = "enable it where it was disabled; if the catalogue was just deployed with it off, look again"
                yield Check("schedules", "wrong", f"{said}; it is off, but the catalogue promises it", to_do)
            else:
                to_do = f"enabled: true in the catalogue of {start.crawl}, if it is to start by itself"
                yield Check("schedules", "note", f"{said}; it is off", to_do)

    def crawls(self) -> Iterator[Check]:
        """Yield how each crawl is."""
        for status in self._statuses:
            level, said, to_do = self._last_run(status)
            if status.overdue_since:
                said = f"it became overdue {ago(status.overdue_since, self.now)}{f'; {said}' if said else ''}"
                to_do = to_do or asking.typed(["start", status.crawl], self.deployment.asked)
                level = "wrong"
            complete = f"{status.crawl}: last complete {_complete(status, self.now)}"
            yield Check("crawls", level, f"{complete}; {said}" if said else complete, "" if level == "ok" else to_do)

    def _last_run(self, status: CrawlStatus) -> tuple[Level, str, str]:
        """What came of the last run of a crawl, and what to type next; nothing to say if it is complete, or if none was
        started yet.
        """
        asked, run = self.deployment.asked, status.run_id
        why = asking.typed(["why", run or status.crawl], asked)
        if status.refused > 1:
            return "wrong", f"{status.refused} starts in a row were refused", why
        if run is None:
            return "ok", "", ""
        if status.ended_at is None:
            execution = executions.described(self.deployment, status.execution) if status.execution else None
            if execution is not None and execution.is_running:
                return "ok", "it runs", asking.typed(["watch", run], asked)
            return "wrong", f"{run} has died without a verdict", why
        if status.outcome in ("failed", "stopped"):
            # Nobody waits for the next run of a crawl that the catalogue does not have.
            return "note" if status.crawl.startswith(ADHOC_PREFIX) else "wrong", f"{run} {status.outcome}", why
        return "ok", "", ""

    def accounts(self) -> Iterator[Check]:
        """Yield whether the other accounts can be read that the crawls name, as their last runs had them. The catalogue
        itself is in the functions.
        """
        named: dict[str, set[str]] = {}
        looked_up: set[str] = set()
        for status in self._statuses:
            record = self.deployment.stores.runs.find(status.run_id) if status.run_id else None
            if record is None:
                continue
            crawl = Crawl.from_dict(record.crawl)
            for account in crawl.account_choice.named:
                named.setdefault(account, set()).add(crawl.name)
            if crawl.asks_for_accounts or crawl.organizational_units or crawl.account_tags:
                looked_up.add(crawl.name)
        role = self._reader_role()
        for account, crawls in sorted(named.items()):
            if account != self.deployment.account:
                yield self._account(account, crawls, role)
        for name in sorted(looked_up):
            said = f"{name} looks up which accounts it reads: whether it may cannot be seen from here"
            yield Check("accounts", "unknown", said, self._ask_the_functions(name))

    def _account(self, account: str, crawls: set[str], role: Mapping[str, str]) -> Check:
        arn = role.get("READER_ROLE_ARN", "").replace("{account}", account)
        what = f"{account}, which {', '.join(sorted(crawls))} reads"
        try:
            self.deployment.client("sts").assume_role(
                RoleArn=arn, RoleSessionName="pageturner-doctor", ExternalId=role.get("EXTERNAL_ID", "")
            )
        except ClientError as error:
            if not is_denial(error):
                raise
            # The role trusts the functions, and need not trust a person.
            said = f"{what}: whether {arn} is there cannot be seen from here, for it need not trust you"
            return Check("accounts", "unknown", said, self._ask_the_functions(min(crawls)))
        return Check("accounts", "ok", f"{what}: {arn} can be assumed")

    def _ask_the_functions(self, crawl: str) -> str:
        return f"{asking.typed(['dry-run', crawl], self.deployment.asked)} asks the functions, whom the roles trust"

    def _reader_role(self) -> Mapping[str, str]:
        for kind, logical, physical in self.deployment.resources:
            if kind == "AWS::Lambda::Function" and "FetchPage" in logical:
                found = self.deployment.client("lambda").get_function_configuration(FunctionName=physical)
                variables: Mapping[str, str] = found["Environment"]["Variables"]
                return variables
        return {}


def _complete(status: CrawlStatus | None, now: datetime) -> str:
    return (ago(status.complete_ended_at, now) if status is not None else "") or "never"
