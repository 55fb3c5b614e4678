"""`mpiexec -n N python -m tests.minitensor.teams.program NAME`: what N processes compute, beside one process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import minitensor as mt
from minitensor.nn import functional as F
from minitensor.ops.nn.collective import all_sum, from_all, from_first
from minitensor.team import member
from minitensor.teams import MPI, cut, join

X = np.random.default_rng(0).standard_normal((25, 3, 6, 6))


def network() -> mt.nn.Layer:
    """Return a network in float64 with batch norm and dropout."""
    mt.manual_seed(0)
    net = mt.nn.Sequential(
        mt.nn.Conv2d(3, 4, 3, padding=1, bias=False), mt.nn.BatchNorm2d(4), mt.nn.ReLU(), mt.nn.Flatten(),
        mt.nn.Dropout(0.3), mt.nn.Linear(144, 50), mt.nn.GELU(), mt.nn.DropPath(0.2), mt.nn.Linear(50, 5, bias=False),
        mt.nn.BatchNorm1d(5, affine=False, momentum=None),
    )  # fmt: skip
    for p in net.parameters():
        p.data = p.data.astype(np.float64)
    return net


def trained(team: Any, kind: str, steps: int = 20) -> list[np.ndarray]:
    """Train on two batches a step, of uneven parts, clipped; return losses, weights, buffers and what is drawn next."""
    net, losses = network(), []
    forward = (lambda x: mt.checkpoint(net, x)) if kind == "checkpoint" else net
    optimizer = mt.optim.AdamW(net.parameters(), lr=1e-2)
    with mt.unfused() if kind == "unfused" else mt.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            for half, x in enumerate((X[:13], X[13:])):
                own = x if team is None else x[cut(len(x), team.size, team.rank)]
                z = mt.data_parallel(lambda part: forward(mt.Tensor(part)), own, team=team)  # noqa: B023
                loss = ((z @ z.T).exp().mean() - 2) ** 2 / 2  # it compares samples
                with mt.optim.averaged(net.parameters(), team if half else None, bucket=500):
                    loss.backward()
            mt.optim.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
            losses.append(float(loss))
    tensors = [*net.parameters(), *net.buffers()]
    return [np.array(losses), *(t.numpy() for t in tensors), mt.default_generator().random(3)]


def shared_out(team: MPI, make: Callable[[Any], Any], of: Sequence[Any]) -> dict[Any, Any]:
    """Return what make() returns of each: by one process alone, which one matters not, so that each makes some."""
    made = [(one, make(one)) for one in of[team.rank :: team.size]]
    return dict(pair for pairs in team.gather(made) for pair in pairs)


def training(team: MPI) -> None:
    """20 steps, and gradients that travel in several buckets before backward has ended."""
    began, begin = [], MPI.begin_total
    MPI.begin_total = lambda self, line: (began.append(line.size), begin(self, line))[1]  # type: ignore[method-assign]
    alone = shared_out(team, lambda kind: trained(None, kind), ("plain", "checkpoint", "unfused"))
    for kind in ("plain", "checkpoint", "plain", "unfused"):
        for a, b in zip(alone[kind], trained(team, kind), strict=True):
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-12 * max(1.0, np.abs(a).max()), err_msg=kind)
    assert began[:3] == [300, 7208, 108], began[:3]  # the last layer's first


def threads(team: MPI) -> None:
    """Two threads in each process are as many parts as one process with 2 N threads has."""
    x = np.random.default_rng(0).standard_normal((16 * team.size, 3, 6, 6))

    def step(count: int, team: Any) -> list[np.ndarray]:
        net = network()
        mt.set_num_threads(count)
        own = x if team is None else x[cut(len(x), team.size, team.rank)]
        y = mt.data_parallel(lambda part: net(mt.Tensor(part)), own, team=team)
        with mt.optim.averaged(net.parameters(), team):
            (y @ y.T).exp().mean().backward()
        return [y.numpy(), *(p.grad.numpy() for p in net.parameters()), *(b.numpy() for b in net.buffers())]

    for a, b in zip(step(2 * team.size, None), step(2, team), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-12 * np.abs(a).max())


def contract(team: MPI) -> None:
    """Every method, with arrays of all kinds."""
    n, rank = team.size, team.rank
    for dtype in ("f4", "f8", "i8", "c8", "f2"):
        x = (np.arange(6).reshape(2, 3) + rank).astype(dtype)
        found = team.total(x.T)
        expected = sum(np.arange(6).reshape(2, 3) + r for r in range(n)).T.astype(dtype)
        assert found.dtype == x.dtype and (found == expected).all(), dtype
        line = x.reshape(-1).copy()
        team.begin_total(line)()
        assert (line.reshape(2, 3) == expected.T).all(), dtype
        parts = team.gather(x[: rank + 1])
        assert [len(p) for p in parts] == [min(r + 1, 2) for r in range(n)] and parts[0].dtype == x.dtype
    try:
        team.gather(np.ones((2, rank)))
    except mt.errors.ParallelError as error:
        assert "they may differ in their first axis alone" in str(error)
    else:
        raise AssertionError("it was not refused")
    assert team.total(np.float64(2.0)).shape == () and team.gather(rank) == list(range(n))
    assert team.gather(np.zeros((0, 3)))[0].shape == (0, 3) and team.broadcast({"rank": rank}) == {"rank": 0}
    assert (np.concatenate(team.gather(np.full((rank, 2), rank))) == np.repeat(range(n), range(n))[:, None]).all()
    assert member.team is None and float(all_sum(np.asarray(2.0))) == 2.0  # outside of a batch there is nobody

    def f(x: np.ndarray) -> np.ndarray:
        assert (member.team.size, member.team.rank, member.team.broadcast(rank)) == (n, rank, 0)
        assert from_all("ranks", rank) == list(range(n)) and from_first("this one's", lambda: rank) == rank
        return x

    assert len(mt.data_parallel(f, np.ones((rank + 1, 2)), team=team)) == n * (n + 1) // 2


def gradients(team: MPI) -> None:
    """The rule of the contract, by finite differences: the mean of losses that differ from process to process."""
    own = np.random.default_rng(team.rank).standard_normal((3, 2))
    factors = np.random.default_rng(9 + team.rank).standard_normal((3 * team.size, 2))  # L_r is another in each

    def loss(w: mt.Tensor, x: mt.Tensor) -> mt.Tensor:
        y = mt.data_parallel(lambda x: F.batch_norm((x * w).tanh(), None, None, training=True), x, team=team)
        return (y**2 * mt.Tensor(factors)).sum()

    w, x = mt.Tensor([0.3, -0.7], requires_grad=True, dtype="float64"), mt.Tensor(own, requires_grad=True)
    with mt.optim.averaged([w], team):
        loss(w, x).backward()
    for at in range(2):
        ends = [
            team.total(loss(mt.Tensor(w.numpy() + sign * 1e-6 * np.eye(2)[at]), x.detach()).numpy()) for sign in (1, -1)
        ]
        assert abs((ends[0] - ends[1]) / 2e-6 / team.size - w.grad.numpy()[at]) < 1e-7
    for who in range(team.size):
        step = 1e-6 * (team.rank == who) * np.eye(3, 2)
        ends = [team.total(loss(w.detach(), mt.Tensor(own + sign * step)).numpy()) for sign in (1, -1)]
        if team.rank == who:
            assert abs((ends[0] - ends[1]) / 2e-6 - (x.grad.numpy() * np.eye(3, 2)).sum()) < 1e-6


def late(team: MPI) -> None:
    """A weight that backward comes to again after its gradient has travelled is refused, in all processes."""
    net = mt.nn.Linear(2, 2)
    optimizer = mt.optim.SGD(net.parameters(), lr=0.1)
    try:
        with mt.optim.averaged(net.parameters(), team):
            for _ in range(2):
                net(mt.ones((1, 2))).sum().backward()
    except mt.errors.GradientError as error:
        assert "again after its gradient had travelled" in str(error)
    else:
        raise AssertionError("it was not refused")
    del optimizer


def around(team: MPI) -> None:
    """Weights around a batch's parts that lie in one bucket with theirs: it travels when all are complete."""
    mt.manual_seed(0)
    before, within, behind = mt.nn.Linear(2, 3), mt.nn.Linear(3, 3), mt.nn.Linear(3, 2)
    parameters = [p for net in (before, within, behind) for p in net.parameters()]
    optimizer = mt.optim.SGD(parameters, lr=0.1)
    x, found = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32), []
    for each in (None, team):
        optimizer.zero_grad()
        own = x if each is None else x[cut(len(x), each.size, each.rank)]
        for last in (False, True):  # with the first one's gradients there, nothing but the count tells what is complete
            h = before(mt.Tensor(own))
            loss = behind(mt.data_parallel(lambda h: mt.checkpoint(within, h), h, team=each)).exp().mean()
            with mt.optim.averaged(parameters, each if last else None):
                loss.backward()
        found.append([p.grad.numpy().copy() for p in parameters])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5)


def hooked(team: MPI) -> None:
    """A hook on a weight sees its whole gradient once; frozen weights and unreached ones do not stop the others."""
    net, seen = network(), []
    net[5].bias.requires_grad = False
    optimizer = mt.optim.SGD(net.parameters(), lr=0.1)
    with net[8].weight.register_hook(lambda g: seen.append(g)), mt.optim.averaged(net.parameters(), team):
        y = mt.data_parallel(lambda x: net(mt.Tensor(x)), X[cut(24, team.size, team.rank)], team=team)
        (y**2 * mt.Tensor(np.arange(120.0).reshape(24, 5))).mean().backward()
    optimizer.step()
    marks = team.gather([p.numpy().tobytes() for p in net.parameters()])
    assert len(seen) == 1 and all(mark == marks[0] for mark in marks)


def nccl(team: MPI) -> None:
    """The same on a stand-in for GPUs and NCCL: a network, and arrays of all kinds."""
    import minitensor.teams.nccl as module
    from tests.minitensor.teams import fake_nccl

    module.collectives = lambda device: (fake_nccl.cuda, fake_nccl.nccl)  # type: ignore[assignment]
    gpus, n = module.NCCL(team, "fake:0"), team.size
    try:
        module.NCCL(team, "fake:2")
    except mt.errors.DeviceError as error:
        assert str(error).startswith("this machine has 2 GPUs and a process more than that, for which fake:2 was meant")
    else:
        raise AssertionError("it was not refused")
    assert (gpus.size, gpus.rank) == (n, team.rank)
    for dtype in ("f4", "f8", "i8", "i4", "u1", "c8", "f2"):
        x = mt.Tensor((np.arange(6).reshape(2, 3) + team.rank).astype(dtype)).to("fake").data
        expected = sum(np.arange(6).reshape(2, 3) + r for r in range(n)).astype(dtype)
        for array, sums in ((x, expected), (x.T, expected.T), (x[:, 1:], expected[:, 1:])):
            found = gpus.total(array)
            assert type(found) is type(x) and found.dtype == x.dtype and (found.get() == sums).all(), dtype
        assert [p.shape for p in gpus.gather(x[: min(team.rank, 2)])] == [(min(r, 2), 3) for r in range(n)]
        assert (gpus.gather(x.T)[-1].get() == (np.arange(6).reshape(2, 3) + n - 1).T).all()
    assert float(gpus.total(x.sum()).get()) == expected.sum() and gpus.total(np.ones(2)).tolist() == [n, n]
    assert gpus.gather("a") == ["a"] * n and gpus.broadcast(team.rank) == 0

    def step(on: str, team: Any) -> list[np.ndarray]:
        net = network()
        net.to(on)
        optimizer = mt.optim.SGD(net.parameters(), lr=0.1)
        own = mt.Tensor(X if team is None else X[cut(len(X), team.size, team.rank)]).to(on)
        y = mt.data_parallel(net, own, team=team)
        with mt.optim.averaged(net.parameters(), team, bucket=500):
            (y @ y.T).exp().mean().backward()
        optimizer.step()
        return [y.numpy(), *(p.numpy() for p in (*net.parameters(), *net.buffers()))]

    fake_nccl.calls.clear()
    for a, b in zip(step("cpu", None), step("fake", gpus), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-11 * max(1.0, np.abs(a).max()))
    apart = [what for what, stream in fake_nccl.calls if stream == 7]  # gradients have a stream of their own
    assert apart.count("allReduce") == apart.count("wait") == fake_nccl.calls.count(("wait", 0)) >= 1


def main() -> None:
    """Run one of them, or all."""
    team = join()
    assert team is not None
    for name in sys.argv[1:]:
        mt.set_num_threads(1)
        globals()[name](team)


if __name__ == "__main__":
    main()
