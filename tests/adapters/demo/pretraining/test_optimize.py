import torch
from torch.nn.functional import cross_entropy

from adapters.demo.pretraining.encoding import Batch
from adapters.demo.pretraining.optimize import weighted_loss


def batch(weights: list[list[float]]) -> Batch:
    ids = torch.tensor([[1, 2, 3], [3, 2, 1]])
    return Batch(ids, torch.ones_like(ids), torch.tensor(weights))


def logits() -> torch.Tensor:
    return torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()


def test_a_weight_of_zero_gives_no_gradient() -> None:
    """An example without weight moves nothing, and the other's gradient does not depend on it."""
    both, alone = logits(), logits()
    weighted_loss(both, batch([[0, 1, 1], [0, 0, 0]])).backward()  # type: ignore[no-untyped-call]
    assert both.grad is not None
    assert bool((both.grad[1] == 0).all())
    assert bool((both.grad[0, :2] != 0).any())
    cross_entropy(alone[0, :2], torch.tensor([2, 3])).backward()  # type: ignore[no-untyped-call]
    assert alone.grad is not None
    torch.testing.assert_close(both.grad[0], alone.grad[0])


def test_loss_is_the_weighted_mean() -> None:
    """Three times the weight is three times the pull."""
    given = logits()
    first = weighted_loss(given, batch([[0, 1, 0], [0, 0, 0]]))
    second = weighted_loss(given, batch([[0, 0, 0], [0, 1, 0]]))
    torch.testing.assert_close(weighted_loss(given, batch([[0, 3, 0], [0, 1, 0]])), (3 * first + second) / 4)


def test_nothing_to_learn_is_a_loss_of_zero() -> None:
    """A batch whose weights are all 0 neither fails nor gives NaN."""
    loss = weighted_loss(logits(), batch([[0, 0, 0], [0, 0, 0]]))
    assert float(loss.detach()) == 0.0
