"""And-inverter graphs."""

import itertools

from postern_mutate.aig import Builder, constant_outputs, read

ASCII = """aag 4 2 1 1 1
2
4
6 8
7
8 2 6
i0 a
i1 word [3]
l0 held
o0 out
c
"""


def test_names_and_structure_are_read(tmp_path):
    path = tmp_path / "x.aag"
    path.write_text(ASCII)
    graph = read(path)
    assert graph.inputs == {"a": 2, "word[3]": 4}
    assert graph.outputs == {"out": 7}
    assert graph.latches == [(6, 8)]
    assert graph.ands == [(8, 2, 6)]


def test_the_same_structure_is_there_once_and_constants_vanish():
    to = Builder()
    a, b = to.input(), to.input()
    assert to.both(a, b) == to.both(b, a)
    assert [to.both(a, 0), to.both(a, 1), to.both(a, a), to.both(a, a ^ 1)] == [0, a, a, 0]
    assert to.differ(a, a) == 0
    assert to.any([]) == 0
    assert to.any([a, a, 0]) == to.any([a])


def test_a_written_graph_is_what_was_built(tmp_path):
    """Read the binary form back with other code, and compare all values."""
    to = Builder()
    inputs = [to.input() for _ in range(3)]
    latch = to.latch()
    to.follow(latch, to.differ(latch, inputs[0]))
    outputs = [to.differ(inputs[0], inputs[2]), to.any([inputs[1] ^ 1, latch]), 0]
    path = tmp_path / "x.aig"
    to.write(path, outputs)
    assert constant_outputs(path) == [False, False, True]
    follows, seen, evaluate = binary(path)
    assert len(follows) == 1
    for a, b, c, state in itertools.product((0, 1), repeat=4):
        value = evaluate([a, b, c, state])
        assert [value(output) for output in seen] == [a ^ c, 1 - b | state, 0]
        assert value(follows[0]) == state ^ a


def binary(path):
    lines, data = [], path.read_bytes()
    header = data[: data.index(b"\n")].split()
    _, inputs, latches, outputs, ands = map(int, header[1:])
    for _ in range(1 + latches + outputs):
        line, _, data = data.partition(b"\n")
        lines.append(line)
    numbers = iter(data)

    def delta():
        result = shift = 0
        while True:
            byte = next(numbers)
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result

    gates = []
    for gate in range(ands):
        number = 2 * (inputs + latches + gate + 1)
        high = number - delta()
        gates.append((high, high - delta()))

    def evaluate(leaves):
        values = [0, *leaves]

        def value(literal):
            return values[literal >> 1] ^ literal & 1

        for high, low in gates:
            values.append(value(high) & value(low))
        return value

    follows = [int(line) for line in lines[1 : 1 + latches]]
    return follows, [int(line) for line in lines[1 + latches :]], evaluate
