"""Logs and metrics. The run id is the correlation id of every log line, the crawl the dimension of every metric."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

# No Tracer: it would import the X-Ray SDK, which costs more than the rest of a cold start.
logger = Logger(service="pageturner")
metrics = Metrics(namespace="Pageturner")


@contextmanager
def about_run(run_id: str, crawl_name: str) -> Iterator[None]:
    """Name the run and the crawl in the logs and metrics of a block; flush the metrics even if the block fails."""
    logger.set_correlation_id(run_id)
    metrics.add_dimension("crawl", crawl_name)
    try:
        yield
    finally:
        if metrics.metric_set:
            metrics.flush_metrics()
        else:
            metrics.clear_metrics()


def count(name: str, value: float, unit: MetricUnit = MetricUnit.Count) -> None:
    """Add a value to a metric of this invocation."""
    metrics.add_metric(name=name, unit=unit, value=value)
