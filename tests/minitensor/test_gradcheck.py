"""The gradient checker is tested with wrong rules: each planted mistake must be caught, and named."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor import op
from minitensor.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minitensor.ops.elementwise import exp
from minitensor.ops.shaping.shape import broadcast_to, reshape, transpose

x2 = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]])
square3 = np.arange(9.0).reshape(3, 3) - 3.7


def unary(forward, rule):
    @op
    def planted(x):
        return forward(x)

    planted.vjp(x=rule)
    return planted


WRONG = {
    "2": (lambda x: x * x, lambda g, x: g * 4 * x, "a factor 2?"),
    "half": (lambda x: x * x, lambda g, x: g * x, "a factor 1/2?"),
    "sign": (lambda x: x * x, lambda g, x: -g * 2 * x, "the sign?"),
    "permille": (lambda x: x * x, lambda g, x: g * 2.002 * x, "factor 1.001"),
    "missing": (lambda x: x * x, lambda g, x: g * 0, "missing?"),
    "offset": (lambda x: x * x, lambda g, x: g * (2 * x + 0.01), ""),
    "nan": (lambda x: x * x, lambda g, x: g * x * np.nan, "nan"),
}


@pytest.mark.parametrize(("forward", "rule", "guess"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("x", [x2, square3], ids=["2x3", "3x3"])
def test_wrong_rules_fail_and_are_named(forward, rule, guess, x):
    with pytest.raises(GradcheckError) as info:
        gradcheck(unary(forward, rule), x)
    assert guess in str(info.value) and "d planted / d argument 0" in str(info.value)


def test_transposed_is_guessed():
    wrong = unary(lambda x: x * square3, lambda g: transpose(g * square3))
    with pytest.raises(GradcheckError, match=r"transposed\?"):
        gradcheck(wrong, square3 + 1)


def test_sum_instead_of_mean_is_guessed():
    mean = unary(
        lambda x: x.mean(keepdims=True), lambda g, x_shape: broadcast_to(reshape(g, shape=(1, 1)), shape=x_shape)
    )
    with pytest.raises(GradcheckError, match=r"a sum instead of a mean\? \(ratio = 6\)"):
        gradcheck(mean, x2)
    total = unary(lambda x: x.sum(keepdims=True), lambda g, x_shape: broadcast_to(g / 6, shape=x_shape))
    with pytest.raises(GradcheckError, match=r"a mean instead of a sum\? \(ratio = 1/6\)"):
        gradcheck(total, x2)


def test_the_message_names_argument_and_worst_entry():
    @op
    def product(a, b):
        return a * b

    product.vjp(a=lambda g, b: g * b, b=lambda g, a: g * (a + np.array([0.0, 0.0, 0.5])))
    with pytest.raises(GradcheckError) as info:
        gradcheck(product, np.ones(3), np.ones(3))
    assert "d product / d argument 1, shape (3,): wrong\nd y[2] / d x[2] is 1.5 by the rule, 1" in str(info.value)
    assert "1 of 9 entries" in str(info.value)


@pytest.mark.parametrize("f", [lambda x: x, lambda x: x * 1e-7, lambda x: x * 1e7], ids=["1", "small", "large"])
def test_a_permille_is_caught_at_any_scale(f):
    wrong = unary(np.exp, lambda g, y: g * y * 1.001)
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: f(wrong(x)), x2)
    assert gradcheck(lambda x: f(mt.exp(x)), x2)


def test_a_permille_is_caught_at_second_order():
    helper = unary(np.exp, lambda g, y: g * y * 1.001)  # right value, wrong gradient, used by a right rule
    right_once = unary(np.exp, lambda g, x: g * helper(x))
    assert gradcheck(right_once, x2)
    with pytest.raises(GradcheckError, match="gradient of planted"):
        gradgradcheck(right_once, x2)
    assert gradgradcheck(unary(np.exp, lambda g, x: g * exp(x)), x2)


def test_a_residual_smuggled_past_the_graph_is_caught():
    smuggling = unary(np.exp, lambda g, x: g * np.exp(x.data if isinstance(x, mt.Tensor) else x))
    assert gradcheck(smuggling, x2)
    with pytest.raises(GradcheckError):
        gradgradcheck(smuggling, x2)


def test_a_rule_that_differs_on_tensors_is_caught():
    double = unary(lambda x: x * x, lambda g, x: g * (2 + 1e-9 * isinstance(x, mt.Tensor)) * x)
    with pytest.raises(GradcheckError, match="create_graph"):
        gradcheck(double, x2)


def test_mutation_is_caught():
    def spoil(x):
        x.data[0] += 1.0
        return x * 2

    with pytest.raises(GradcheckError, match="in place"):
        gradcheck(spoil, x2)

    def rule(g):
        if not isinstance(g, mt.Tensor):
            g *= 2
        return g

    with pytest.raises(GradcheckError, match="incoming gradient"):
        gradcheck(unary(lambda x: x * 2, rule), x2)


def test_several_outputs_and_passengers():
    assert gradgradcheck(lambda x, n, name: (x**n, (x * 3).sum(), mt.argmax(x)), x2, 2, "name")
    assert gradcheck(lambda x, i: mt.take(x, i, axis=1), mt.Tensor(x2), np.array([0, 2, 2]))
    assert gradcheck(lambda x: mt.exp(x).sum(), mt.Tensor([1.0, 2.0]))  # float32 is raised to float64
    assert gradgradcheck(lambda x, y: x * 3.0 + y, np.array(1.0), np.ones((0, 2)))


def test_a_wrong_second_output_is_named():
    wrong = unary(lambda x: x * x, lambda g, x: g * 4 * x)
    with pytest.raises(GradcheckError, match=r"d y1\[0, 1\]|d y1\["):
        gradcheck(lambda x: (x + 1, wrong(x)), x2)


@pytest.mark.parametrize(
    ("rule", "guess"),
    [
        (lambda g, x: g * 4 * x, "a factor 2"),
        (lambda g, x: g * 2.002 * x, "factor 1.001"),
        (lambda g, x: g * 2 * x.conj(), "entries are off"),  # a conjugate too many
        (lambda g, x: -g * 2 * x, "the sign"),
    ],
)
def test_wrong_rules_of_complex_numbers_are_caught(rule, guess):
    z = np.array([1 + 2j, 0.5 - 1j])
    square = op("complex")(lambda x: x * x)
    square.vjp(x=rule)
    with pytest.raises(GradcheckError, match=guess):
        gradcheck(square, z)
    helper = op("complex")(lambda x: 2 * x)  # right value, wrong gradient
    helper.vjp(x=lambda g: g * 2.002)
    right_once = op("complex")(lambda x: x * x)
    right_once.vjp(x=lambda g, x: g * helper(x))
    assert gradcheck(right_once, z)
    with pytest.raises(GradcheckError, match="gradient of"):
        gradgradcheck(right_once, z)


def test_the_parts_of_complex_numbers_are_moved_one_by_one():
    planted = op("complex")(lambda x: x * x.conj())  # no plain derivative says what both parts do
    planted.vjp(x=lambda g, x: g * x.conj())
    with pytest.raises(GradcheckError, match=r"d y\[0, [01]\] / d x\[0, [01]\] is"):
        gradcheck(planted, np.array([1 + 2j]))
    z, w = np.array([1 + 2j, 0.5 - 1j]), mt.Tensor(np.array([1j, 2 + 1j], np.complex64))
    assert gradgradcheck(lambda z, x: (z * x.conj() * z, (z.abs() * x).sum()), z, w)
    assert gradgradcheck(lambda z, x: z.real * x + z.imag, z, np.array([1.0, 2.0]))


def test_nothing_to_check_raises():
    with pytest.raises(GradcheckError, match="nothing is checked"):
        gradcheck(lambda n: mt.Tensor([1.0]) * n, 2)
    with pytest.raises(GradcheckError, match="no result depends"):
        gradcheck(lambda x: x.detach() * 2, x2)


def test_it_runs_under_no_grad_and_leaves_inputs_alone():
    x = mt.Tensor(x2, requires_grad=True)
    with mt.no_grad():
        assert gradcheck(lambda v: v * v, x)
    assert x.grad is None and np.array_equal(x.numpy(), x2)
