"""`python -m tests.end_to_end.fake_up [OPTION…]`: `troupe up` as it is, with fake engines. The options are `loadtests.fake_standby`'s."""

import sys

import click
import uvloop

from server.engine.settings import EngineSettings
from server.gateway.settings import GatewaySettings
from server.up import serve


def main() -> None:
    settings, engine = GatewaySettings(), (sys.executable, "-m", "loadtests.fake_standby", *sys.argv[1:])
    uvloop.run(serve(settings, EngineSettings(), base=settings.base, demo=False, say=click.echo, engine=engine))


if __name__ == "__main__":
    main()
