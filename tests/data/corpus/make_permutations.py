"""Writes permutations.json of tests/lib/corpus: what SequenceSampler must give, computed without it.

python make_permutations.py     (needs nothing; writes beside itself)

The generator is MT19937-64 as Nishimura and Matsumoto published it, seeded with mix(mix(seed) ^ pass), where mix is
SplitMix64's finaliser; the permutation is Fisher and Yates's from the last element down, with draws that reject the
first 2^64 mod bound values.
"""

import json
import pathlib
from collections.abc import Iterator

HERE = pathlib.Path(__file__).parent
MASK = 2**64 - 1


def mersenne_twister(seed: int) -> Iterator[int]:
    """The outputs of MT19937-64."""
    size, shift = 312, 156
    state = [seed]
    for i in range(1, size):
        state.append((6364136223846793005 * (state[-1] ^ (state[-1] >> 62)) + i) & MASK)
    while True:
        for i in range(size):
            joined = (state[i] & 0xFFFFFFFF80000000) | (state[(i + 1) % size] & 0x7FFFFFFF)
            twist = 0xB5026F5AA96619E9 if joined & 1 else 0
            state[i] = state[(i + shift) % size] ^ (joined >> 1) ^ twist
        for value in state:
            y = value ^ ((value >> 29) & 0x5555555555555555)
            y ^= (y << 17) & 0x71D67FFFEDA60000
            y ^= (y << 37) & 0xFFF7EEE000000000
            yield y ^ (y >> 43)


def mix(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def permutation(count: int, seed: int, pass_number: int) -> list[int]:
    numbers = mersenne_twister(mix(mix(seed) ^ pass_number))

    def draw(bound: int) -> int:
        rejected = 2**64 % bound
        return next(number for number in numbers if number >= rejected) % bound

    result = list(range(count))
    for last in range(count - 1, 0, -1):
        other = draw(last + 1)
        result[last], result[other] = result[other], result[last]
    return result


def main() -> None:
    # The published check of the generator: its 10,000th output from the standard's default seed.
    numbers = mersenne_twister(5489)
    assert [next(numbers) for _ in range(10_000)][-1] == 9981545732273789042
    cases = [(10, 0, 0), (10, 7, 0), (10, 7, 1), (10, 2**64 - 1, 0), (400, 11, 2), (1, 3, 0), (2, 3, 5)]
    entries = [
        {"count": count, "seed": seed, "pass": number, "order": permutation(count, seed, number)}
        for count, seed, number in cases
    ]
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (HERE / "permutations.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
