"""What can go wrong between a command and a registry, beside the registry's own errors.

CommandError
├── BadUsage        options or settings that make no sense together; nothing was asked
├── NoGateway       nobody answers where a gateway should be
├── BadKey          no admin key, or one that the gateway does not accept
├── NoSuch          there is no such community, version, alias or key
└── Refused         anything else that the gateway did not do, in its own words

Each message is one sentence for people; each class has the exit code that `troupe --help` promises.
"""


class CommandError(Exception):
    exit_code = 1


class BadUsage(CommandError):
    exit_code = 2


class NoGateway(CommandError):
    exit_code = 3


class BadKey(CommandError):
    exit_code = 4


class NoSuch(CommandError):
    exit_code = 5


class Refused(CommandError):
    pass
