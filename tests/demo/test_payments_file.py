"""The file of payments: whole lines only, whatever they hold, and however they are written."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aecorpy.demo.payments import Payment, PaymentsFile, lines_from
from aecorpy.demo.payments.file import MAX_LINE_BYTES, BadLine, FileShrank

LONG = st.builds(lambda text, times: text * times, st.binary(min_size=20, max_size=20), st.integers(450, 455))
PIECES = st.lists(st.binary(max_size=12) | st.just(b"\n") | LONG, max_size=8)


@settings(max_examples=40, deadline=None)
@given(PIECES, st.integers(3, 20))
def test_lines_are_read_once_however_the_file_grows(pieces: list[bytes], chunk: int) -> None:
    async def read() -> list[bytes]:
        found, position = [], 0
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "payments"
            for piece in pieces:
                await PaymentsFile(path).append(piece)
                while lines := await lines_from(path, position):
                    assert [line.begin for line in lines] == [position, *[line.end for line in lines[:-1]]]
                    found += [line.text for line in lines]
                    position = lines[-1].end
            content = b"".join(pieces)
            assert position == content.rfind(b"\n") + 1
            return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aecorpy.demo.payments.file.CHUNK_BYTES", chunk * 100)
        found = asyncio.run(read())
    assert found == [line[: MAX_LINE_BYTES + 1] for line in b"".join(pieces).split(b"\n")[:-1]]


async def test_a_file_that_is_not_there_yet_and_one_that_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "payments"
    assert await lines_from(path, 0) == []
    with pytest.raises(FileShrank, match="is gone"):
        await lines_from(path, 1)
    path.write_bytes(b"abc\n")
    assert await lines_from(path, 4) == []
    with pytest.raises(FileShrank, match="has 4 bytes, of which 5 were read"):
        await lines_from(path, 5)


async def test_slow_writers_wait_for_each_other(tmp_path: Path) -> None:
    file = PaymentsFile(tmp_path / "payments")
    payments = [Payment(f"p-{number}", "b-1") for number in range(20)]
    await asyncio.gather(
        *[file.append(payment.line(), [None, 0.0, 0.001][n % 3]) for n, payment in enumerate(payments)]
    )
    lines = await lines_from(file.path, 0)
    assert [Payment.of_line(line.text) for line in lines] == payments


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "it is no JSON"),
        (b"pay!", "it is no JSON"),
        (b"\xff\xfe", "it is no JSON"),
        (b"[" * 5_000, "it is no JSON"),
        (b"[]", "it is no JSON object"),
        (b'{"payment_id": "p"}', "booking_id is no text"),
        (b'{"payment_id": "", "booking_id": "b"}', "payment_id is no text"),
        (b'{"payment_id": 7, "booking_id": "b"}', "payment_id is no text"),
        (b'{"payment_id": "\\ud800", "booking_id": "b"}', "payment_id is no text"),
        (b'{"payment_id": "p\\u0000", "booking_id": "b"}', "payment_id has more than 512 bytes, or holds NUL"),
        (json.dumps({"payment_id": "p", "booking_id": "b" * 513}).encode(), "booking_id has more than 512 bytes"),
        (Payment("p", "b" * MAX_LINE_BYTES).line(), "it has more than 8,192 bytes"),
    ],
)
def test_lines_that_are_no_payments(line: bytes, why: str) -> None:
    with pytest.raises(BadLine, match=why):
        Payment.of_line(line)


def test_a_line_is_a_payment_whatever_else_it_says() -> None:
    payment = Payment("pé", "b-1")
    assert Payment.of_line(payment.line()) == payment
    assert Payment.of_line(b' {"booking_id": "b-1", "amount": 3, "payment_id": "p\xc3\xa9"}\r') == payment
