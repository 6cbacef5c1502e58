"""A bucket gives its burst at once and its rate from then on, whatever the clock does."""

from __future__ import annotations

from hallway.protocol.bucket import Bucket, PeerBuckets


def test_a_burst_passes_at_once_and_then_only_the_rate() -> None:
    bucket = Bucket(2.0, 3.0, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait(0.0) == 0.5
    assert bucket.take(0.5)
    assert not bucket.take(0.5)


def test_asking_takes_nothing() -> None:
    bucket = Bucket(1.0, 1.0, 0.0)
    assert [bucket.wait(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(0.0)


def test_a_clock_that_is_set_back_blocks_nobody() -> None:
    bucket = Bucket(1.0, 1.0, 100.0)
    assert bucket.take(100.0)
    assert bucket.wait(50.0) == 1.0
    assert bucket.take(51.0)


def test_each_peer_has_a_bucket_of_its_own_however_its_id_is_spelled() -> None:
    buckets = PeerBuckets(1.0, 1.0)
    assert buckets.take("Tablet-1", 0.0)
    assert not buckets.take("tablet-1", 0.0)
    assert buckets.take("tablet-2", 0.0)


def test_a_peer_that_is_not_kept_begins_with_a_full_bucket() -> None:
    buckets = PeerBuckets(1.0, 1.0)
    for peer_id in ("tablet-1", "tablet-2"):
        assert buckets.take(peer_id, 0.0)
    buckets.keep(["TABLET-1"])
    assert not buckets.take("tablet-1", 0.0)
    assert buckets.take("tablet-2", 0.0)
