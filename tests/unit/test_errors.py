from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker

from pageturner import errors


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "…"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "ListThings",
    )


def test_all_of_botocores_throttling_codes_are_ours_too() -> None:
    known: Any = ThrottledRetryableChecker
    assert set(known._THROTTLED_ERROR_CODES) <= errors.THROTTLING_CODES


@pytest.mark.parametrize(
    ("code", "status", "token_sent", "expected"),
    [
        ("ThrottlingException", 400, False, errors.ThrottledError),
        ("ThrottledClientException", 400, True, errors.ThrottledError),
        ("SlowDown", 503, False, errors.ThrottledError),
        ("Anything", 429, False, errors.ThrottledError),
        ("ExpiredNextTokenException", 400, True, errors.TokenInvalidError),
        ("InvalidNextToken", 400, True, errors.TokenInvalidError),
        ("ValidationException", 400, True, errors.TokenInvalidError),
        ("ValidationException", 400, False, errors.InvalidRequestError),
        ("ExpiredToken", 403, True, errors.TransientError),
        ("InternalError", 500, False, errors.TransientError),
        ("Unheard", 503, True, errors.TransientError),
        ("RequestTimeout", 400, False, errors.TransientError),
        ("AccessDenied", 403, True, errors.AccessDeniedError),
        ("UnauthorizedOperation", 403, False, errors.AccessDeniedError),
        ("Unheard", 403, False, errors.AccessDeniedError),
        ("NoSuchBucket", 404, False, errors.NotFoundError),
    ],
)
def test_a_services_error_has_its_name(
    code: str, status: int, token_sent: bool, expected: type[errors.PageturnerError]
) -> None:
    error = errors.from_client_error(client_error(code, status), token_sent=token_sent)
    assert type(error) is expected
    assert code in str(error)


def test_a_throttle_that_only_the_service_model_knows() -> None:
    error = errors.from_client_error(client_error("Busy"), token_sent=False, declared_throttling=True)
    assert type(error) is errors.ThrottledError


def test_the_tree_in_the_docstring_has_every_class() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.PageturnerError)]
    assert len(classes) == 14
    for found in classes:
        assert f" {found.__name__} " in (errors.__doc__ or "") or found is errors.PageturnerError
