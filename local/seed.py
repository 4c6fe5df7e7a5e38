"""Real input for the demo: the files of botocore's data folder as objects, and its operations as rows of a table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import botocore
from botocore.config import Config

from local.emulator import Emulator
from pageturner.paging import api

BUCKET = "pageturner-demo"
TABLE = "pageturner-demo"
# Enough rows for several pages of a scan.
_SERVICES = ("cloudformation", "dynamodb", "ec2", "iam", "lambda", "s3", "sagemaker", "stepfunctions")
_THREADS = 8


def seed(emulator: Emulator) -> tuple[int, int]:
    """Fill the bucket and the table that the demo's crawls list. Returns how many objects and rows there are."""
    return _seed_bucket(emulator), _seed_table(emulator)


def change(emulator: Emulator) -> dict[str, str]:
    """Put an object into the bucket, change one, and delete one. Returns the kind of each change by key."""
    s3 = emulator.client("s3")
    s3.put_object(Bucket=BUCKET, Key="_a-new-object.json", Body=b"{}")
    s3.put_object(Bucket=BUCKET, Key="_retry.json", Body=b"{}")
    s3.delete_object(Bucket=BUCKET, Key="endpoints.json")
    return {"_a-new-object.json": "new", "_retry.json": "changed", "endpoints.json": "gone"}


def _seed_bucket(emulator: Emulator) -> int:
    """Put an object for each file of botocore's data folder."""
    s3 = emulator.client("s3", config=Config(max_pool_connections=_THREADS))
    s3.create_bucket(Bucket=BUCKET)
    root = Path(botocore.__file__).parent / "data"
    files = [path for path in root.rglob("*") if path.is_file()]

    def put(path: Path) -> None:
        s3.put_object(Bucket=BUCKET, Key=str(path.relative_to(root)), Body=path.read_bytes())

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(put, files))
    return len(files)


def _seed_table(emulator: Emulator) -> int:
    """Put a row for each operation of some services."""
    dynamodb = emulator.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "service", "KeyType": "HASH"}, {"AttributeName": "operation", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "service", "AttributeType": "S"},
            {"AttributeName": "operation", "AttributeType": "S"},
        ],
    )
    rows = [
        {
            "service": {"S": service},
            "operation": {"S": operation},
            "paginated": {"BOOL": api.official_paginator(service, operation) is not None},
        }
        for service in _SERVICES
        for operation in api.operation_names(service)
    ]
    for start in range(0, len(rows), 25):
        requests = [{"PutRequest": {"Item": row}} for row in rows[start : start + 25]]
        dynamodb.batch_write_item(RequestItems={TABLE: requests})
    return len(rows)
