from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import pytest


@pytest.fixture
def tables() -> AbstractContextManager[None]:
    """moto's, so that not all that is asked of DynamoDB is asked of a fake."""
    return nullcontext()
