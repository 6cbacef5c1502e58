"""The tables that bound requesters."""

from hypothesis import given
from hypothesis import strategies as st

from hallway.protocol.bucket import Bucket
from hallway_http_local_signaling._limits import Admission, Bounds, Connections, RateLimit

SMALL = Bounds(connections=6, address_connections=2, rate=10.0, burst=10.0, address_rate=1.0, address_burst=3.0, addresses=4)


def test_a_bucket_is_full_at_first_and_refills_at_its_rate():
    bucket = Bucket(rate=2.0, burst=2.0, now=0.0)
    for _ in range(2):
        assert bucket.wait(0.0) == 0.0
        assert bucket.take(0.0)

    assert bucket.wait(0.0) == 0.5
    assert bucket.wait(0.25) == 0.25
    assert bucket.wait(0.5) == 0.0
    assert bucket.wait(100.0) == 0.0


def test_a_token_that_comes_back_makes_a_full_bucket_no_fuller():
    bucket = Bucket(rate=1.0, burst=2.0, now=0.0)
    assert bucket.take(0.0)
    bucket.give_back()
    bucket.give_back()

    assert [bucket.take(0.0) for _ in range(3)] == [True, True, False]


def test_a_clock_that_goes_back_gives_no_tokens():
    bucket = Bucket(rate=1.0, burst=1.0, now=10.0)
    assert bucket.take(10.0)

    assert bucket.wait(5.0) == 1.0
    assert bucket.wait(5.5) == 0.5


def test_an_address_over_its_rate_takes_nothing_from_the_others():
    limit = RateLimit(SMALL, 0.0)
    waits = [limit.ask("10.0.0.1", 1, 0.0) for _ in range(100)]

    assert waits.count(0.0) == 3
    assert waits[-1] == 1.0
    assert [limit.ask("10.0.0.2", 1, 0.0) for _ in range(3)] == [0.0] * 3


def test_all_together_have_a_rate_for_what_costs():
    limit = RateLimit(SMALL, 0.0)
    waits = [limit.take("offer", 0.0) for _ in range(50)]

    assert waits.count(0.0) == 10
    assert waits[-1] == 0.1


def test_what_cost_nothing_takes_nothing_from_the_others():
    limit = RateLimit(SMALL, 0.0)
    for _ in range(1000):
        assert limit.take("offer", 0.0) == 0.0
        limit.give_back("offer")

    assert [limit.take("offer", 0.0) for _ in range(11)] == [0.0] * 10 + [0.1]


def test_joiners_take_nothing_from_members():
    limit = RateLimit(SMALL, 0.0)
    while not limit.take("pair", 0.0):
        pass

    assert limit.take("offer", 0.0) == 0.0


def test_our_own_machine_has_several_shares():
    limit = RateLimit(Bounds(), 0.0)

    assert sum(limit.ask("127.0.0.1", 4, 0.0) == 0.0 for _ in range(200)) == 80


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1), st.booleans()), max_size=200))
def test_the_table_of_rates_is_bounded_and_grants_no_more_than_the_total(steps):
    limit = RateLimit(SMALL, 0.0)
    now, granted = 0.0, 0
    for host, step, cheap in steps:
        now += step
        limit.ask(f"10.0.0.{host}", 1, now)
        if limit.take("offer", now) == 0.0:
            if cheap:
                limit.give_back("offer")
            else:
                granted += 1
        assert len(limit) <= SMALL.addresses

    assert granted <= SMALL.burst + SMALL.rate * now + 1e-6


def test_a_newcomer_displaces_the_oldest_idle_connection_of_its_address():
    table = Connections(SMALL)
    table.admit("first", "a", 1)
    table.admit("second", "a", 1)
    table.busy("first", busy=True)

    assert table.admit("third", "a", 1) == Admission(admitted=True, displaced="second")
    table.busy("third", busy=True)
    assert table.admit("fourth", "a", 1) == Admission(admitted=False)
    table.busy("first", busy=False)
    assert table.admit("fourth", "a", 1) == Admission(admitted=True, displaced="first")


def test_when_all_places_are_taken_the_address_that_holds_most_gives_one():
    table = Connections(SMALL)
    for number, address in enumerate(["a", "b", "b", "c", "d", "e"]):
        table.admit(number, address, 1)

    assert table.admit("new", "f", 1) == Admission(admitted=True, displaced=1)
    assert len(table) == 6


def test_leaving_twice_is_silent():
    table = Connections(SMALL)
    table.admit("only", "a", 1)
    table.leave("only")
    table.leave("only")
    table.busy("only", busy=True)

    assert len(table) == 0


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 40), st.sampled_from(["admit", "busy", "idle", "leave"])), max_size=200)
)
def test_connections_never_exceed_their_bounds_and_busy_ones_stay(steps):
    table: Connections[int] = Connections(SMALL)
    held: dict[int, tuple[str, bool]] = {}
    for address, key, step in steps:
        if step == "admit" and key not in held:
            admission = table.admit(key, address, 1)
            if admission.displaced is not None:
                assert held.pop(admission.displaced)[1] is False
            if admission.admitted:
                held[key] = (address, False)
        elif step == "leave":
            table.leave(key)
            held.pop(key, None)
        elif key in held and step in {"busy", "idle"}:
            table.busy(key, busy=step == "busy")
            held[key] = (held[key][0], step == "busy")
        assert len(table) == len(held) <= SMALL.connections
        for one in "abcdefgh":
            assert sum(owner == one for owner, _ in held.values()) <= SMALL.address_connections
