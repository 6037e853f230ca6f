"""A random stream that is set apart: what draws from it meanwhile moves another one."""

import pytest

import tinygpt
from tinygpt.core.generator import default_generator

pytestmark = pytest.mark.fast


def test_a_stream_set_apart_continues_as_if_nothing_had_been_drawn(device):
    @tinygpt.compile
    def draw():
        return tinygpt.rand(5)

    def numbers(meanwhile):
        tinygpt.manual_seed(3)
        first = [draw().tolist() for _ in range(3)]
        meanwhile()
        return first + [draw().tolist(), draw().tolist(), tinygpt.rand(2).tolist(), default_generator.fork()]

    other, drawn = tinygpt.Generator(8), []

    def apart():
        with default_generator.apart(other):
            drawn.append(tinygpt.rand(4).tolist() + draw().tolist())
            default_generator.fork()
        with default_generator.apart(other):
            drawn.append(tinygpt.rand(4).tolist())
            tinygpt.manual_seed(5)

    assert numbers(apart) == numbers(lambda: None)
    assert drawn[0][:4] != drawn[1], "the other stream moved on"
    alone = tinygpt.Generator(8)
    assert drawn[0][:4] == tinygpt.rand(4, generator=alone).tolist()
    assert other.seed == 5 and other.offset == 0


def test_an_error_inside_puts_the_stream_back(device):
    tinygpt.manual_seed(3)
    place = default_generator.get_state()
    with pytest.raises(ZeroDivisionError), default_generator.apart(tinygpt.Generator(8)):
        tinygpt.rand(4)
        raise ZeroDivisionError
    assert default_generator.get_state() == place
