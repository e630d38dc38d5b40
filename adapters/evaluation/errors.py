"""What can go wrong between an adapter and its report card.

EvaluationError
├── BadSettings      settings that make no sense
├── WrongBase        the adapter was made for another base, or the base cannot be loaded
├── NoAdapter        the directory holds no adapter that could be served, or no finished run
├── WrongDataset     the adapter was trained on another dataset
├── NothingHeldOut   the dataset has no held-out examples that fit
├── OutOfMemory      the base and the texts do not fit into this machine
├── NotServed        the running server is not there, does not let this key in, or refuses what was asked
├── HarnessFailed    lm-evaluation-harness is not installed, does not know a task, or did not come to its end
├── BadComparison    models that cannot be compared, or a claim that cannot be read
└── CardTooLarge     the report card is larger than a registry takes

Each message is one sentence for people: what happened, what to do.
"""


class EvaluationError(Exception):
    """One sentence: what happened, and what to do."""


class BadSettings(EvaluationError):
    pass


class WrongBase(EvaluationError):
    pass


class NoAdapter(EvaluationError):
    pass


class WrongDataset(EvaluationError):
    pass


class NothingHeldOut(EvaluationError):
    pass


class OutOfMemory(EvaluationError):
    pass


class NotServed(EvaluationError):
    pass


class HarnessFailed(EvaluationError):
    pass


class BadComparison(EvaluationError):
    pass


class CardTooLarge(EvaluationError):
    pass
