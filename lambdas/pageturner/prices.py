"""What AWS charges for, at the us-east-1 list prices of November 2026."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Price:
    """What a service charges for so many units: `dollars`, and `per` how many if it is not one."""

    service: str
    unit: str
    dollars: str
    per: str = ""

    @property
    def of_one(self) -> float:
        """Dollars."""
        return float(self.dollars) / {"": 1, "thousand": 1e3, "million": 1e6, "month": 730}[self.per]

    def __str__(self) -> str:
        return f"${self.dollars}/{self.per}" if self.per else f"${self.dollars}"


@dataclass(frozen=True)
class Volume:
    """What AWS charges for. Seconds are multiplied by the GB of memory; a metric is charged by the hour."""

    requests: float = 0
    gb_seconds: float = 0
    executions: float = 0
    express_gb_seconds: float = 0
    transitions: float = 0
    puts: float = 0
    gets: float = 0
    write_units: float = 0
    read_units: float = 0
    log_gb: float = 0
    metric_hours: float = 0
    glue_requests: float = 0
    events: float = 0

    def __add__(self, other: Volume) -> Volume:
        return Volume(*(mine + others for mine, others in zip(vars(self).values(), vars(other).values(), strict=True)))


# Lambda on arm64; Express with 64 MB; DynamoDB on demand: a write unit is a KB of the whole row, and a read unit 4 KB.
PRICES: Mapping[str, Price] = {
    "requests": Price("Lambda", "requests", "0.20", "million"),
    "gb_seconds": Price("Lambda", "GB-s", "0.0000133334"),
    "executions": Price("Step Functions Express", "executions", "1.00", "million"),
    "express_gb_seconds": Price("Step Functions Express", "GB-s", "0.00001667"),
    "transitions": Price("Step Functions Standard", "transitions", "0.025", "thousand"),
    "puts": Price("S3", "puts", "0.005", "thousand"),
    "gets": Price("S3", "gets", "0.0004", "thousand"),
    "write_units": Price("DynamoDB", "write units", "0.625", "million"),
    "read_units": Price("DynamoDB", "read units", "0.125", "million"),
    "log_gb": Price("CloudWatch Logs", "GB", "0.50"),
    "metric_hours": Price("CloudWatch metrics", "hours", "0.30", "month"),
    "glue_requests": Price("Glue", "requests", "1.00", "million"),
    "events": Price("EventBridge", "events", "1.00", "million"),
}


def estimate(volume: Volume, of: str = "") -> dict[str, Any]:
    """Return `estimated_cost` in dollars, and `cost_arithmetic`: one line for each service, which begins with `of`."""
    lines = list(_lines(volume))
    return {
        "estimated_cost": round(sum(dollars for _, dollars in lines), 6),
        "cost_arithmetic": [f"{of}{line} = ${dollars:.6f}" for line, dollars in lines],
    }


def _lines(volume: Volume) -> Iterator[tuple[str, float]]:
    """Yield the arithmetic of each service that charges for something, with its dollars."""
    terms: dict[str, list[str]] = {}
    dollars: dict[str, float] = {}
    for name in (each.name for each in fields(Volume)):
        if number := getattr(volume, name):
            price = PRICES[name]
            terms.setdefault(price.service, []).append(f"{_shown(number)} {price.unit} x {price}")
            dollars[price.service] = dollars.get(price.service, 0) + number * price.of_one
    for service, of_service in terms.items():
        yield f"{service}: {' + '.join(of_service)}", dollars[service]


def _shown(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:.6f}".rstrip("0")
