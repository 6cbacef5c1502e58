"""What waits for a reader is bounded, and says when its reader should come up first."""

from hallway.webrtc.arrivals import Arrivals


def test_16_mib_wait_for_a_reader_with_64_bytes_for_each_message() -> None:
    arrivals, message = Arrivals(), bytes(1024 * 1024 - 64)
    assert [arrivals.put(message) for _ in range(17)] == [True] * 16 + [False]
    assert not arrivals.put(b"")
    assert arrivals.pop() == message
    assert arrivals.put("x" * (1024 * 1024 - 64))


def test_wide_text_counts_by_its_bytes() -> None:
    arrivals, message = Arrivals(), "\N{FORK AND KNIFE}" * (256 * 1024 - 16)
    assert [arrivals.put(message) for _ in range(17)] == [True] * 16 + [False]
    for _ in range(16):
        arrivals.pop()
    assert arrivals.size == 0


def test_many_small_messages_count_too() -> None:
    arrivals = Arrivals()
    taken = sum(arrivals.put(b"") for _ in range(300_000))
    assert taken == 16 * 1024 * 1024 // 64


def test_beyond_1_mib_the_reader_is_to_come_up() -> None:
    arrivals, message = Arrivals(), bytes(256 * 1024 - 64)
    crowded = []
    for _ in range(5):
        arrivals.put(message)
        crowded.append(arrivals.crowded)
    assert crowded == [False, False, False, False, True]
    arrivals.pop()
    assert not arrivals.crowded
