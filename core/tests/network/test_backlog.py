"""What waits at a socket is read at once, and no more of it than one turn may take."""

import socket

import pytest

from hallway.network.backlog import MOST, waiting


@pytest.fixture
def ends():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reader, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as writer:
        reader.bind(("127.0.0.1", 0))
        reader.setblocking(False)
        writer.connect(reader.getsockname())
        yield reader, writer


def test_all_that_waits_is_read_in_order_with_its_sender(ends):
    reader, writer = ends
    for number in range(5):
        writer.send(bytes([number]))

    assert list(waiting(reader, 10)) == [(bytes([number]), writer.getsockname()) for number in range(5)]
    assert list(waiting(reader, 10)) == []


def test_one_turn_takes_a_bounded_number(ends):
    reader, writer = ends
    for _ in range(MOST + 3):
        writer.send(b"x")

    assert [len(list(waiting(reader, 10))) for _ in range(3)] == [MOST, 3, 0]


def test_what_is_too_long_is_cut(ends):
    reader, writer = ends
    writer.send(bytes(100))

    assert [data for data, _ in waiting(reader, 10)] == [bytes(10)]


def test_a_socket_that_is_closed_in_between_has_nothing_more(ends):
    reader, writer = ends
    for _ in range(3):
        writer.send(b"x")
    taken = []
    for data, _ in waiting(reader, 10):
        taken.append(data)
        reader.close()

    assert taken == [b"x"]
