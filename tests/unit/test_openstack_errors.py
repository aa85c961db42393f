"""What OpenStack's answers mean, row by row, and the sentence that goes with each reason."""

import json
from typing import Any

import pytest

from govcloud.errors import (
    CloudConflictError,
    CloudError,
    TerminalCloudError,
    TransientCloudError,
)
from govcloud.messages import render
from provisioners.openstack.errors import TABLE, error_of, fault_of, read_answer

LATER, NEVER, CLASH = TransientCloudError, TerminalCloudError, CloudConflictError


def nova(word: str, message: str) -> dict[str, Any]:
    return {word: {"code": 400, "message": message}}


def neutron(kind: str, message: str) -> dict[str, Any]:
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


CASES: list[tuple[str, int, Any, type[CloudError], str]] = [
    ("compute", 401, {"error": {"message": "The request requires auth"}}, LATER, "Unauthorized"),
    ("compute", 429, nova("overLimit", "too many"), LATER, "Throttled"),
    (
        "compute",
        403,
        nova("forbidden", "Quota exceeded for instances: Requested 1, but already used 2 of 2"),
        NEVER,
        "OverQuota",
    ),
    ("network", 409, neutron("OverQuota", "Quota exceeded for ['port']"), NEVER, "OverQuota"),
    (
        "block-storage",
        413,
        nova("overLimit", "VolumeLimitExceeded: Maximum number of volumes allowed (1) exceeded"),
        NEVER,
        "OverQuota",
    ),
    (
        "compute",
        400,
        nova("badRequest", "Quota limit 1 for instances must be greater than or equal to 2"),
        NEVER,
        "BelowUsage",
    ),
    ("compute", 413, "<html>Request Entity Too Large</html>", NEVER, "TooLarge"),
    ("compute", 403, nova("forbidden", "Policy doesn't allow it"), NEVER, "Forbidden"),
    (
        "compute",
        400,
        nova("badRequest", "Can not find requested image"),
        NEVER,
        "InvalidImage",
    ),
    ("block-storage", 404, nova("itemNotFound", "Image 7 not found"), NEVER, "InvalidImage"),
    ("compute", 400, nova("badRequest", "Flavor x could not be found."), NEVER, "InvalidFlavor"),
    (
        "block-storage",
        404,
        nova("itemNotFound", "Volume type with name gold could not be found."),
        NEVER,
        "UnknownVolumeType",
    ),
    (
        "compute",
        409,
        nova(
            "conflictingRequest", "Cannot 'resize' instance 1 while it is in task_state rebooting"
        ),
        LATER,
        "Busy",
    ),
    (
        "block-storage",
        400,
        nova("badRequest", "Invalid volume: Volume status must be available or error"),
        LATER,
        "Busy",
    ),
    (
        "network",
        409,
        neutron("SecurityGroupInUse", "Security Group 1 in use."),
        LATER,
        "InUse",
    ),
    (
        "network",
        409,
        neutron("IpAddressGenerationFailure", "No more IP addresses available on network 1."),
        LATER,
        "NoCapacity",
    ),
    ("compute", 404, nova("itemNotFound", "Instance 1 could not be found."), CLASH, "Gone"),
    ("identity", 409, {"error": {"message": "Duplicate entry"}}, CLASH, "NameTaken"),
    ("compute", 409, nova("conflictingRequest", "something new"), LATER, "Busy"),
    (
        "compute",
        406,
        nova("computeFault", "Version 2.99 is not supported"),
        NEVER,
        "MicroversionTooOld",
    ),
    ("network", 400, neutron("HTTPBadRequest", "Invalid input for name."), NEVER, "InvalidSpec"),
    ("compute", 501, nova("notImplemented", "no"), NEVER, "NotSupported"),
    ("compute", 504, "gateway", LATER, "Timeout"),
    ("compute", 502, "<h1>Bad\n Gateway</h1>", LATER, "Unavailable"),
    ("compute", 503, "", LATER, "Unavailable"),
    ("compute", 500, nova("computeFault", "Unexpected API Error."), LATER, "ServerError"),
    ("compute", 599, "?", LATER, "ServerError"),
]


def error(service: str, status: int, body: Any, **more: Any) -> CloudError:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers = {"Retry-After": more.pop("wait")} if "wait" in more else {}
    return error_of(read_answer(service, status, headers, raw, write=more.get("write", False)))


@pytest.mark.parametrize(("service", "status", "body", "kind", "reason"), CASES)
def test_each_answer(service: str, status: int, body: Any, kind: type, reason: str) -> None:
    found = error(service, status, body)
    assert (type(found), found.reason) == (kind, reason)
    assert f"{service} {status}" in found.message


def test_only_sentences_are_told_of_a_body() -> None:
    body = {"overLimit": {"code": 413, "message": "Too much.", "retryAfter": "0"}}
    assert error("block-storage", 413, body).message == "block-storage 413: Too much."


def test_each_row_has_a_case() -> None:
    """No row without a test, and no reason without a sentence in both languages."""
    tested = {reason for *_, reason in CASES}
    assert {row.reason for row in TABLE} <= tested
    for reason in tested:
        for language in ("en", "zh"):
            assert render(f"openstack.{reason}", language, {}) != f"openstack.{reason}"


@pytest.mark.parametrize(
    ("status", "unknown"), [(500, True), (502, True), (504, True), (503, False), (429, False)]
)
def test_a_write_may_have_acted(status: int, unknown: bool) -> None:
    """What a gateway says of a write tells nothing of whether it was done."""
    write, read = (error("compute", status, "", write=flag) for flag in (True, False))
    assert isinstance(write, LATER)
    assert isinstance(read, LATER)
    assert (write.outcome_unknown, read.outcome_unknown) == (unknown, False)


@pytest.mark.parametrize("status", [413, 429, 503])
def test_retry_after_is_kept(status: int) -> None:
    found = error("compute", status, nova("overLimit", "slow down"), wait="17")
    assert isinstance(found, LATER)
    assert found.retry_after_s == 17


def test_retry_after_may_be_a_date_or_nonsense() -> None:
    past = error("compute", 503, "", wait="Wed, 21 Oct 2015 07:28:00 GMT")
    odd = error("compute", 503, "", wait="soon")
    assert isinstance(past, LATER)
    assert isinstance(odd, LATER)
    assert (past.retry_after_s, odd.retry_after_s) == (0, None)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"code": 413, "message": "whatever"}, "OverQuota"),
        ({"code": 403, "message": "Quota exceeded for instances"}, "OverQuota"),
        ({"code": 500, "message": "No valid host was found."}, "NoCapacity"),
        ({"code": 500, "message": "Exceeded maximum number of retries: not enough"}, "NoCapacity"),
        ({"code": 500, "message": "Image 1 is unacceptable"}, "InvalidImage"),
        (
            {"code": 500, "message": "Build of instance aborted: Volume 1 did not finish"},
            "VolumeFailed",
        ),
        ({"code": 500, "message": "Virtual Interface creation failed: vif"}, "NetworkFailed"),
        ({"code": 500, "message": "boom"}, "BuildFailed"),
        (None, "BuildFailed"),
    ],
)
def test_faults_of_servers(fault: Any, reason: str) -> None:
    """A server that ended in ERROR says why in words only; a late quota is a 413."""
    said = fault_of(fault)
    assert said.partition(":")[0] == reason
    assert not fault or fault["message"] in said
