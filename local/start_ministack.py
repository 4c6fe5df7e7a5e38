"""Starts MiniStack in its own environment, .venv-ministack, as `Emulator` runs it: nothing else imports this."""

from __future__ import annotations

import ctypes
import signal
import socketserver
import sys
from typing import Any

from ministack import app
from ministack.core import iam_actions


def judge_conditional_writes() -> None:
    """Give MiniStack the condition keys of a conditional write, which the policy of the bucket names.

    Amazon S3 User Guide, "Enforce conditional writes on Amazon S3 buckets".
    """
    known = iam_actions.s3_service_context

    def s3_service_context(
        iam_action: str, query_params: dict[str, Any] | None, path: str = "", headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        context = dict(known(iam_action, query_params, path, headers))
        if iam_action == "s3:PutObject":
            # Neither the parts of an upload nor its beginning make an object.
            makes_one = not {"partNumber", "uploads"} & set(query_params or {})
            context["s3:ObjectCreationOperation"] = str(makes_one).lower()
            if value := (headers or {}).get("if-none-match"):
                context["s3:if-none-match"] = value
        return context

    iam_actions.s3_service_context = s3_service_context


def main() -> None:
    """Start it."""
    # Its Runtime API sends headers and body apart: with Nagle's algorithm, each event would wait 40 ms until the
    # function acknowledges its headers.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    # The kernel ends it if whoever started it is killed and cannot clean up.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    # With TLS it would listen there, too.
    app._port_is_bindable = lambda *_: False
    judge_conditional_writes()
    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main()
