"""What is taken back of what was announced."""

from __future__ import annotations

from hallway_mdns_discovery._former import CAPACITY, FormerAddresses

A, B, C = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02", b"\xfd" + bytes(15)


def test_an_address_that_is_announced_no_more_is_taken_back_until_it_has_expired():
    former = FormerAddresses()
    assert former.announce([A, B], 120.0, 0.0) == []
    assert former.announce([B, C], 120.0, 10.0) == [A]
    assert former.announce([B, C], 120.0, 119.0) == [A]
    assert former.announce([B, C], 120.0, 120.0) == []


def test_one_that_comes_again_is_not_taken_back():
    former = FormerAddresses()
    former.announce([A], 120.0, 0.0)
    former.announce([B], 120.0, 1.0)
    assert former.announce([A], 120.0, 2.0) == [B]


def test_only_the_last_of_very_many_are_remembered():
    former = FormerAddresses()
    many = [bytes((10, 0, number // 256, number % 256)) for number in range(1000)]
    for address in many:
        taken_back = former.announce([address], 120.0, 0.0)
    assert taken_back == many[-CAPACITY - 1 : -1]
