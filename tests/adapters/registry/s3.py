"""A real S3 API on this machine: moto's server in a thread, on a free port."""

import logging
import os
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

KEYS = {"AWS_ACCESS_KEY_ID": "testing-key-id", "AWS_SECRET_ACCESS_KEY": "testing-secret", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def s3_service() -> Iterator[Mapping[str, str]]:
    """The variables that lead to the service. While it runs this process has them too: they are where botocore looks."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else a failing test shows a line for each of its requests
    server.start()
    host, port = server.get_host_and_port()
    told = {**KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    _replace_aws_variables(told)
    try:
        yield told
    finally:
        _replace_aws_variables(before)
        server.stop()
        if server._server:
            server._server.server_close()


def send(method: str, path: str, body: bytes | None = None) -> None:
    """One request to the service, past every library; it checks no signature."""
    request = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/{path}", body, method=method)  # noqa: S310  on this machine
    request.add_header("Authorization", f"AWS4-HMAC-SHA256 Credential={KEYS['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/s3/aws4_request")
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass


def _replace_aws_variables(told: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(told)
