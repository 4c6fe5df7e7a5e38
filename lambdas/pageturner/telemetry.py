"""Logs and metrics. The run id is the correlation id of every line, the crawl the dimension of every metric.

A page has one line, that of its metrics, because a million pages pay for every byte (`make bench` counts them). Lambda
passes on what Python prints as it is, also with the log format JSON (Lambda Developer Guide, "Log and monitor Python
Lambda functions").
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from pageturner.errors import PageturnerError, UnexpectedError

Result = TypeVar("Result")

# No Tracer: it would import the X-Ray SDK, which costs more than the rest of a cold start.
logger = Logger(service="pageturner")
# Powertools prefers Lambda's application log level to its own setting; infra/python_function.py says why that is INFO.
logging.getLogger(logger.name).setLevel(os.environ.get("POWERTOOLS_LOG_LEVEL", "INFO"))
# At DEBUG, which Lambda's runtime gives to the root logger, botocore would log every request and every response.
logging.getLogger().setLevel(logging.WARNING)
metrics = Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Pageturner"))


def handler(function: Callable[[Mapping[str, Any], Any], Result]) -> Callable[[Mapping[str, Any], Any], Result]:
    """Make a function a handler of Lambda. What leaves it is one of `pageturner.errors`, whose messages have no values.

    Lambda logs the message of an exception, and gives it to X-Ray and to Step Functions.
    """

    @wraps(function)
    def handled(event: Mapping[str, Any], context: Any) -> Result:
        try:
            return function(event, context)
        except PageturnerError:
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours: its message can quote anything, its place is enough
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{os.path.basename(where.filename)}:{where.lineno}, in {where.name}"
            raise UnexpectedError(f"{type(error).__name__} at {place}").with_traceback(error.__traceback__) from None

    return logger.inject_lambda_context(handled, log_event=False)


@contextmanager
def about_run(run_id: str, crawl_name: str) -> Iterator[None]:
    """Name the run and the crawl in the logs and metrics of a block; flush the metrics even if the block fails."""
    logger.set_correlation_id(run_id)
    metrics.add_dimension("crawl", crawl_name)
    add_facts(correlation_id=run_id)
    try:
        yield
    finally:
        flush()


def flush() -> None:
    """Print the metrics that were counted, if there are any."""
    if metrics.metric_set:
        metrics.flush_metrics()
    else:
        metrics.clear_metrics()


def count(name: str, value: float) -> None:
    """Add a value to a metric of this invocation."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def count_for_all(name: str, value: float) -> None:
    """Add a value to a metric of this invocation, once for its crawl and once for all crawls, which alarms look at."""
    count(name, value)
    metrics.provider.dimension_sets.append({})


def add_facts(**facts: object) -> None:
    """Put facts into the line of this invocation's metrics, beside the metrics, if the log has lines of level INFO."""
    if logger.log_level <= logging.INFO:
        for name, value in facts.items():
            metrics.add_metadata(name, value)


def measure(**values: float) -> None:
    """Emit metrics without a dimension, which alarms look at; a name says if its unit is seconds."""
    for name, value in values.items():
        unit = MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count
        metrics.add_metric(name=name, unit=unit, value=value)
    metrics.flush_metrics()
