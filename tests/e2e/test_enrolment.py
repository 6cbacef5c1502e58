"""Enrolment with real processes on hosts of a LAN: no internet, no multicast, and people who make mistakes."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest
import pytest_asyncio
from captures import leaks, readable, secrets_of, sniff
from enrolling import Machine, by_code, by_text, wrong
from sealed_states import sealed_up

from hallway.trust.state import TrustState
from netlab import Lab, matching
from site_devices import end, hears, linked, says

pytestmark = pytest.mark.second_lab

PROPERTY = "Hotel Sea View"
WIRETAP = Path(__file__).parent / "support" / "wiretap.py"
ASK = """
import json, sys, urllib.error, urllib.request
for body in sys.argv[2:]:
    request = urllib.request.Request(sys.argv[1], data=body.encode(), headers={"Content-Type": "application/json"})
    try:
        status = urllib.request.urlopen(request, timeout=5).status
    except urllib.error.HTTPError as error:
        status = error.code
    print(json.dumps({"status": status}))
"""


class Site:
    """A LAN without internet and multicast; ``front-desk`` has made the property."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lan = lab.lan()
        self.folder = folder
        lab.cut_wan()
        self.multicast = self.lan.block_multicast()
        self.desk = self.machine("desk")
        self.init: dict[str, str] = {}

    def machine(self, name: str) -> Machine:
        return Machine(self.lan.host(f"host-{name}"), self.folder / name)


@pytest_asyncio.fixture
async def site(lab: Lab, tmp_path: Path) -> Site:
    site = Site(lab, tmp_path)
    site.init = await site.desk.ask("init", "--property", PROPERTY, "--device", "front-desk")
    return site


@pytest.mark.attack("A18")
async def test_a_second_and_a_third_device_by_invitation_and_by_code(site: Site) -> None:
    """Nothing that is worth anything to others passes the wire, is logged, or lies in a file that they can read."""
    tablet, phone, other = site.machine("tablet-1"), site.machine("phone"), site.machine("other")
    tap = await site.desk.host.spawn([sys.executable, str(WIRETAP), "eth0"])
    await tap.read_json_line()

    inviting, shown = await site.desk.invite("--log-level", "debug")
    joined = await tablet.join("tablet-1", *by_text(shown), "--log-level", "debug")
    enrolled = await inviting.wait_for(matching(event="enrolled"))
    assert await inviting.wait() == 0
    assert (joined["property"], joined["members"], joined["already"]) == (PROPERTY, ["front-desk", "tablet-1"], False)
    assert (enrolled["deviceId"], enrolled["check"]) == ("tablet-1", joined["check"])
    logs = inviting.stderr_lines

    inviting, shown2 = await site.desk.invite("--yes", "--log-level", "debug")
    assert (await other.join("other", *by_text(shown), status=1))["code"] == "pairing-refused"
    await phone.join("phone", *by_code(shown2))
    assert await inviting.wait() == 0
    logs += inviting.stderr_lines

    told = await phone.ask("members")
    assert [member["deviceId"] for member in told["members"]] == site.desk.names() == ["front-desk", "tablet-1", "phone"]
    assert await tap.terminate() == 0
    heard = base64.b64decode((await tap.read_json_line())["bytes"])
    secrets = {f"{machine.state.name} {name}": text for machine in (site.desk, tablet, phone) for name, text in machine.secrets().items()}
    secrets |= {"code": shown2["code"], "token": shown["invitation"].split(":")[2], "passphrase": site.init["passphrase"]}
    names = {
        "property": PROPERTY,
        "one": "tablet-1",
        "two": "front-desk",
        "three": "phone",
        "key": joined["keyId"],
        "id": joined["propertyId"],
    }
    assert len(heard) > 10_000
    for name, text in (secrets | names).items():
        raw = [base64.urlsafe_b64decode(text + "==")] if len(text) == 43 else []
        for form in (text.encode(), text.replace("-", "").encode(), *raw):
            assert form not in heard, f"{name} is on the wire"
    for name, text in secrets.items():
        assert text not in "\n".join(logs), f"{name} is in a log"
    assert {mode for machine in (site.desk, tablet, phone) for mode in machine.modes()} == {"0o700", "0o600"}


@pytest.mark.attack("A13")
async def test_who_guesses_or_comes_late_stays_outside(site: Site) -> None:
    tablet, phone = site.machine("tablet-1"), site.machine("phone")
    inviting, shown = await site.desk.invite("--yes")
    for left in (2, 1, 0):
        refused = await tablet.join("tablet-1", *by_code(shown, wrong(shown)), status=1)
        assert refused["code"] == "pairing-refused"
        attempt = await inviting.wait_for(matching(event="attempt"))
        assert (attempt["outcome"], attempt["left"]) == ("wrong", left)
    assert (await inviting.wait_for(matching(event="closed")))["reason"] == "attempts"
    assert await inviting.wait() == 1
    assert (await phone.join("phone", *by_code(shown), status=1))["code"] == "unreachable"
    assert site.desk.names() == ["front-desk"]
    bad = shown["invitation"][:-6] + "X" + shown["invitation"][-5:]
    assert (await phone.join("phone", "--invitation", bad, status=1))["code"] == "bad-invitation"
    print("A13: three wrong codes, the right code, the invitation, a slip: nobody in")


@pytest.mark.attack("A15")
async def test_a_person_decides_and_a_joiner_that_is_killed_goes_on_where_it_was(site: Site) -> None:
    tablet, phone = site.machine("tablet-1"), site.machine("phone")
    inviting, shown = await site.desk.invite()
    joining = await tablet.begin_to_join("tablet-1", *by_code(shown))
    asking = await inviting.wait_for(matching(event="asking"))
    check = (await joining.wait_for(matching(event="joining")))["check"]
    await joining.wait_for(matching(event="waiting"))
    assert (asking["deviceId"], asking["check"]) == ("tablet-1", check)
    await joining.kill()
    assert not (tablet.state / "membership.json").exists()
    busy = await phone.join("phone", *by_text(shown), status=1)
    assert "another device is joining" in busy["message"]

    joining = await tablet.begin_to_join("tablet-1", *by_code(shown))
    await inviting.wait_for(matching(event="asking"))
    await inviting.send_json("no")
    assert await joining.wait() == 1
    assert "said no" in joining.transcript()
    again = await tablet.join("tablet-1", *by_text(shown))
    assert await inviting.wait() == 0
    assert again["check"] == check
    assert site.desk.names() == tablet.names() == ["front-desk", "tablet-1"]
    assert (await tablet.join("tablet-1", *by_text(shown))) == again | {"already": True}


@pytest.mark.attack("A15")
async def test_what_was_typed_before_the_question_is_no_answer(site: Site) -> None:
    tablet = site.machine("tablet-1")
    inviting, shown = await site.desk.invite(terminal=True)
    await inviting.send_bytes(b"yes\n")
    assert (await inviting.read_line()).strip() == "yes"
    joining = await tablet.begin_to_join("tablet-1", *by_code(shown))
    await inviting.wait_for(matching(event="asking"))
    await inviting.send_bytes(b"no\n")
    assert await joining.wait() == 1
    assert "said no" in joining.transcript()
    await inviting.send_bytes(b"\x03")
    assert await inviting.wait() == 1
    assert '"reason": "stopped"' in inviting.transcript()
    assert site.desk.names() == ["front-desk"]


@pytest.mark.attack("A18")
async def test_while_the_devices_run(site: Site) -> None:
    """invite, members and revoke go to the running device, which tells the others; an eavesdropper sees nothing of all that."""
    tablet, phone = site.machine("tablet-1"), site.machine("phone")
    tap = site.folder / "enrolment and session.bin"
    sniffer = await sniff(site.desk.host, tap)
    desk = await sealed_up(site.desk.host, site.desk.state)
    url = (await desk.wait_for(matching(event="ready")))["listen"][0]
    assert await stranger(tablet, url, "{}") == [404]
    inviting, shown = await site.desk.invite("--yes")
    assert shown["hosts"][0] == url.removeprefix("http://")
    assert await stranger(tablet, url, "{}", "x" * 5000) == [400, 413]
    assert "open already" in (await site.desk.command("invite", status=1)).stderr
    await tablet.join("tablet-1", *by_text(shown))
    assert await inviting.wait() == 0

    site.multicast.restore()
    other = await sealed_up(tablet.host, tablet.state)
    assert (await other.wait_for(matching(event="ready")))["propertyId"] == PROPERTY
    await linked(desk, "tablet-1")
    await linked(other, "front-desk")
    await says(desk, "tablet-1", "welcome")
    await hears(other, "front-desk", "welcome")

    await sniffer.terminate()
    assert leaks(tap, secrets_of(*(TrustState(machine.state).load() for machine in (site.desk, tablet)))) == []
    assert [word in readable(tap) for word in (b"_hallway", b"POST /pair", b"POST /offer")] == [True] * 3

    killed, shown = await site.desk.invite("--yes")
    await killed.kill()
    assert "has that name" in (await phone.join("FRONT-DESK", *by_code(shown), status=1))["message"]
    assert await stranger(phone, url, "{}") == [400]
    revoked = await site.desk.ask("revoke", "tablet-1")
    assert (revoked["deviceId"], revoked["running"]) == ("tablet-1", True)
    await desk.wait_for(matching(event="peer-disconnected", peerId="tablet-1", reason="revoked"))
    told = await site.desk.ask("members")
    assert ([member["deviceId"] for member in told["members"]], len(told["revoked"])) == (["front-desk"], 1)
    await end(desk, other)
    assert site.desk.names() == ["front-desk"]


async def test_a_lost_admin_is_replaced_by_the_recovery_file(site: Site, tmp_path: Path) -> None:
    tablet, fresh = site.machine("tablet-1"), site.machine("fresh")
    inviting, shown = await site.desk.invite()
    await tablet.join("tablet-1", *by_text(shown))
    assert await inviting.wait() == 0
    assert (await tablet.ask("invite", status=1))["code"] == "not-admin"

    kept = tmp_path / "recovery.json"
    Path(site.init["recoveryFile"]).rename(kept)
    wrong_word = await tablet.ask("recover", "--recovery", str(kept), stdin=b"not this\n", status=1)
    assert wrong_word["code"] == "wrong-passphrase"
    passphrase = site.init["passphrase"].encode() + b"\n"
    recovered = await tablet.ask("recover", "--recovery", str(kept), stdin=passphrase)
    assert (recovered["deviceId"], sorted(recovered["members"])) == ("tablet-1", ["front-desk", "tablet-1"])
    assert (await tablet.ask("revoke", "front-desk"))["deviceId"] == "front-desk"

    anew = await fresh.ask("recover", "--recovery", str(kept), "--property", PROPERTY, "--device", "office", stdin=passphrase)
    assert (anew["members"], anew["propertyId"]) == (["office"], site.init["propertyId"])


async def stranger(machine: Machine, url: str, *bodies: str) -> list[int]:
    """The statuses that somebody gets who posts these to the endpoint."""
    finished = await machine.host.run([sys.executable, "-c", ASK, f"{url}/pair", *bodies])
    return [json.loads(line)["status"] for line in finished.stdout.splitlines()]
