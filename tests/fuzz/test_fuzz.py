"""A short run of each target: as mutated samples, and as Hypothesis finds them. Long ones: docs/security-tests.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import FRAGMENTS, MOST_BYTES, PLAINS, Mutator
from tests.fuzz.runs import MOST_GROWTH, peak, run
from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
INPUTS = 2_000
each_target = pytest.mark.parametrize("name", TARGETS)


def mutator(target: Target, seed: int) -> Mutator:
    return Mutator(target.samples, seed, target.packed_from)


@each_target
def test_s06_s12_mutated_inputs_end_in_a_value_or_in_the_readers_own_error(name: str) -> None:
    outcome = run(TARGETS[name], mutator(TARGETS[name], 1), INPUTS)
    assert outcome.findings == []
    assert outcome.inputs == INPUTS
    assert outcome.accepted < INPUTS


@each_target
def test_all_or_most_samples_are_accepted(name: str) -> None:
    target = TARGETS[name]
    assert sum(map(target.take, target.samples)) >= 1


pieces = st.binary(max_size=40) | st.sampled_from(FRAGMENTS)
plain = st.recursive(
    st.sampled_from([one for one in PLAINS if one.__class__ not in (list, dict)]) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def inputs(draw: st.DrawFn, target: Target) -> bytes:
    """A sample with pieces put in the place of others, or packed values behind a sample's head."""
    sample = draw(st.sampled_from(target.samples))
    if target.packed_from is not None and draw(st.booleans()):
        packed: bytes = msgpack.packb(draw(plain), unicode_errors="surrogatepass")
        return sample[: target.packed_from] + packed
    made = bytearray(sample)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(made)))
        made[at : at + draw(st.integers(0, 4))] = draw(pieces)
    return bytes(made)


@each_target
def test_s06_s12_inputs_of_hypothesis_end_in_a_value_or_in_the_readers_own_error(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=60, deadline=None)
    @given(inputs(target) | st.binary(max_size=80))
    def attempt(data: bytes) -> None:
        assert target.take(data) in (True, False)

    attempt()


# --- that a run finds what is there


def _fails_at(byte: int) -> Target:
    def take(data: bytes) -> bool:
        if byte in data:
            raise KeyError(byte)
        return True

    return Target(take, (b"\x00" * 20,))


def test_what_escapes_a_target_is_found_once_for_each_place_with_its_input() -> None:
    target = _fails_at(0xC1)
    outcome = run(target, mutator(target, 1), 3_000)
    [(data, what)] = outcome.findings
    assert 0xC1 in data
    assert what.startswith("KeyError in test_fuzz.py")


def test_an_input_that_takes_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.runs.MOST_SECONDS", 0.0)
    target = TARGETS["names"]
    assert "bytes" in run(target, mutator(target, 1), 1).findings[0][1]


def test_memory_that_an_input_takes_is_found() -> None:
    target = TARGETS["names"]
    for grown, found in ((MOST_GROWTH, []), (MOST_GROWTH + 1, [(b"", "the process grew by 64 MiB")])):
        peaks = iter([1_000, 1_000 + grown])
        assert run(target, mutator(target, 1), 5, memory=lambda peaks=peaks: next(peaks)).findings == found  # type: ignore[misc]


def test_the_memory_of_this_process_is_known() -> None:
    assert 10 << 20 < peak() < 1 << 40


def test_the_same_seed_gives_the_same_inputs_and_another_one_others() -> None:
    target = TARGETS["commands"]
    first, again, other = (mutator(target, seed) for seed in (1, 1, 2))
    made = [first.next() for _ in range(500)]
    assert made == [again.next() for _ in range(500)]
    assert made != [other.next() for _ in range(500)]
    assert len(set(made)) > 300
    assert max(map(len, made)) <= 16 * MOST_BYTES


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_the_program_says_how_many_inputs_each_target_got_and_what_was_found() -> None:
    done = program("--inputs", "3001", "--seed", "5", "--target", "names", "--target", "frames")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1501 inputs" in done.stdout
    assert "1500 inputs" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("fuzz: 3001 inputs, 0 findings in ")


def test_one_input_can_be_given_again() -> None:
    done = program("--target", "names", "--target", "frames", "--input", b"booking-7".hex())
    assert done.stdout.splitlines() == ["names: accepted", "frames: refused"]
