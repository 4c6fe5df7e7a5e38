"""Which parameters say where a listing begins, and which exclude a token, held against the models' documentation."""

from __future__ import annotations

import re

import pytest
from botocore.paginate import TokenEncoder

from pageturner.paging import api, pagination, token_parameters
from pageturner.paging.paginators import paginator_of

# How the models say it, in the documentation of a parameter.
_SAYS_SO = (
    r"(can't|cannot) specify this parameter (if you specify|together with) (the )?{token}\b",
    r"either the (?P<other>\w+) (parameter )?or the {token} parameter,? but not both",
    r"if you specify a (?P<other2>\w+), don't specify a {token}\b",
    r"either the {token} or \w+ parameter in a request, they are mutually exclusive",
    r"either the \w+ or {token} parameter in a request, they are mutually exclusive",
    r"either the {token} parameter or a (?P<other3>\w+) parameter",
    r"either the (?P<other4>\w+) parameter,? or the {token} parameter, but not both",
)


def excluded_by_documentation(service: str, operation: str, token: str) -> set[str]:
    members = api.operation_model(service, operation).input_shape.members  # type: ignore[union-attr]
    found = set()
    for name, shape in members.items():
        text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", shape.documentation or "")).replace("\u2019", "'")
        for pattern in _SAYS_SO:
            for said in re.finditer(pattern.replace("{token}", token), text, re.IGNORECASE):
                others = [other for other in said.groupdict().values() if other]
                found |= {m for m in members for other in others or [name] if m.lower() == other.lower()}
    return found - {token}


def test_every_exclusion_that_the_models_state_is_known() -> None:
    looked_at = 0
    found: dict[tuple[str, str], set[str]] = {}
    for service in api.service_names():
        for operation in api.operation_names(service):
            definition = paginator_of(service, operation, {}).definition
            if "input_token" not in definition:
                continue
            looked_at += 1
            for token in pagination.input_tokens(definition):
                if excluded := excluded_by_documentation(service, operation, token):
                    found.setdefault((service, operation), set()).update(excluded)
    assert looked_at >= 4300
    assert len(found) == 9
    for (service, operation), excluded in found.items():
        # What services say only in their errors comes on top.
        assert excluded <= set(token_parameters.excluded_by_token(service, operation)), f"{service} {operation}"


def test_what_is_left_out_is_never_required() -> None:
    for (service, operation), names in token_parameters._EXCLUDED.items():
        shape = api.operation_model(service, operation).input_shape
        assert shape is not None
        assert not set(names) & set(shape.required_members)


def test_parameters_that_say_where_a_listing_begins() -> None:
    found: set[tuple[str, str, str]] = set()
    for service in api.service_names():
        for operation in api.operation_names(service):
            definition = paginator_of(service, operation, {}).definition
            if "input_token" in definition:
                model = api.operation_model(service, operation)
                names = list(model.input_shape.members) if model.input_shape is not None else []
                tokens = pagination.input_tokens(definition)
                starts = token_parameters.starts_among(model, names, definition)
                assert set(tokens) <= set(starts)
                found |= {(service, operation, name) for name in starts if name not in tokens}
    assert found == {
        ("cloudsearchdomain", "search", "start"),
        ("connectparticipant", "get_transcript", "StartPosition"),
        ("ebs", "list_changed_blocks", "StartingBlockIndex"),
        ("ebs", "list_snapshot_blocks", "StartingBlockIndex"),
        ("kinesis", "list_shards", "ExclusiveStartShardId"),
        ("kinesis", "list_streams", "ExclusiveStartStreamName"),
        ("route53", "list_resource_record_set_protections", "StartRecordName"),
        ("route53", "list_resource_record_set_protections", "StartRecordType"),
        ("s3", "list_objects_v2", "StartAfter"),
    }


@pytest.mark.parametrize(
    ("starting_token", "whole_page"),
    [
        (None, None),
        (TokenEncoder().encode({"Marker": "m"}), {"Marker": "m"}),
        ("raw", {"Marker": "raw"}),
        (TokenEncoder().encode({"Marker": "m", "boto_truncate_amount": 3}), None),
        (TokenEncoder().encode({"Marker": None, "boto_truncate_amount": 3}), None),
        ("raw___2", None),
        ("None", None),
    ],
)
def test_a_starting_token_that_cuts_no_page_is_the_token_of_a_page(
    starting_token: str | None, whole_page: dict[str, str] | None
) -> None:
    token = token_parameters.token_of_whole_page(starting_token, {"input_token": "Marker"})
    assert (None if token is None else pagination.tokens_in(token)) == whole_page
