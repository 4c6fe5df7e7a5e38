"""What the tests of listings on moto share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Documents of roles and policies.
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
POLICY = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}})


def without_metadata(page: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in page.items() if name != "ResponseMetadata"}
