"""Enrolment with real processes on hosts of a LAN: no internet, no multicast, and people who make mistakes."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from signal import SIGKILL

import pytest_asyncio
from enrolling import Machine, by_code, by_text, wrong
from sealed_states import sealed_up

from netlab import Lab, matching
from site_devices import end, hears, linked, says

PROPERTY = "Hotel Sea View"
WIRETAP = Path(__file__).parent / "support" / "wiretap.py"
ASK = """
import json, sys, urllib.request, urllib.error
request = urllib.request.Request(sys.argv[1], data=sys.argv[2].encode(), headers={"Content-Type": "application/json"})
try:
    print(json.dumps({"status": urllib.request.urlopen(request, timeout=5).status}))
except urllib.error.HTTPError as error:
    print(json.dumps({"status": error.code}))
except OSError as error:
    print(json.dumps({"status": str(error.reason)}))
"""


class Site:
    """A LAN without internet and multicast; ``desk`` has made the property."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lan = lab.lan()
        self.folder = folder
        lab.cut_wan()
        self.lan.block_multicast()
        self.desk = self.machine("desk")
        self.init: dict[str, str] = {}

    def machine(self, name: str) -> Machine:
        return Machine(self.lan.host(f"host-{name}"), self.folder / name)


@pytest_asyncio.fixture
async def site(lab: Lab, tmp_path: Path) -> Site:
    site = Site(lab, tmp_path)
    site.init = await site.desk.ask("init", "--property", PROPERTY, "--device", "desk")
    return site


async def test_a_second_and_a_third_device_by_invitation_and_by_code(site: Site) -> None:
    """Nothing that is worth anything to others passes the wire, is logged, or lies in a file that they can read."""
    tablet, phone, other = site.machine("tablet-1"), site.machine("phone"), site.machine("other")
    tap = await site.desk.host.spawn([sys.executable, str(WIRETAP), "eth0"])
    await tap.read_json_line()

    inviting, shown = await site.desk.invite("--log-level", "debug")
    joined = await tablet.join("tablet-1", *by_text(shown), "--log-level", "debug")
    enrolled = await inviting.wait_for(matching(event="enrolled"))
    assert await inviting.wait() == 0
    assert (joined["property"], joined["members"], joined["already"]) == (PROPERTY, ["desk", "tablet-1"], False)
    assert (enrolled["deviceId"], enrolled["check"]) == ("tablet-1", joined["check"])
    logs = inviting.stderr_lines

    used = await other.join("other", *by_text(shown), status=1)
    assert used["code"] == "unreachable"

    inviting, shown2 = await site.desk.invite("--yes", "--log-level", "debug")
    assert (await other.join("other", *by_text(shown), status=1))["code"] == "pairing-refused"
    await phone.join("phone", *by_code(shown2))
    assert await inviting.wait() == 0
    logs += inviting.stderr_lines

    assert await site.desk.names() == ["desk", "tablet-1", "phone"]
    assert await phone.names() == ["desk", "tablet-1", "phone"]
    assert await tap.terminate() == 0
    heard = base64.b64decode((await tap.read_json_line())["bytes"])
    secrets = {f"{machine.state.name} {name}": text for machine in (site.desk, tablet, phone) for name, text in machine.secrets().items()}
    secrets |= {"code": shown2["code"], "token": shown["invitation"].split(":")[2], "passphrase": site.init["passphrase"]}
    names = {"property": PROPERTY, "one": "tablet-1", "two": "desk", "three": "phone", "key": joined["keyId"], "id": joined["propertyId"]}
    assert len(heard) > 10_000
    for name, text in (secrets | names).items():
        raw = [base64.urlsafe_b64decode(text + "==")] if len(text) == 43 else []
        for form in (text.encode(), text.replace("-", "").encode(), *raw):
            assert form not in heard, f"{name} is on the wire"
    for name, text in secrets.items():
        assert text not in "\n".join(logs), f"{name} is in a log"
    assert {mode for machine in (site.desk, tablet, phone) for mode in machine.modes()} == {"0o700", "0o600"}


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
    assert (await phone.join("phone", *by_text(shown), status=1))["code"] == "unreachable"
    assert await site.desk.names() == ["desk"]
    bad = shown["invitation"][:-6] + "X" + shown["invitation"][-5:]
    assert (await phone.join("phone", "--invitation", bad, status=1))["code"] == "bad-invitation"
    print("A13: three wrong codes, the right code, the invitation, a slip: nobody in")


async def test_a_person_decides_about_who_has_the_code(site: Site) -> None:
    tablet = site.machine("tablet-1")
    inviting, shown = await site.desk.invite()
    joining = await tablet.host.spawn(tablet._argv("join", "--device", "tablet-1", "--json", *by_code(shown)))
    asking = await inviting.wait_for(matching(event="asking"))
    check = (await joining.wait_for(matching(event="joining")))["check"]
    await joining.wait_for(matching(event="waiting"))
    assert (asking["deviceId"], asking["check"]) == ("tablet-1", check)
    await inviting.send_json("no")
    assert await joining.wait() == 1

    joining = await tablet.host.spawn(tablet._argv("join", "--device", "tablet-1", "--json", *by_code(shown)))
    await inviting.wait_for(matching(event="asking"))
    await inviting.send_json("yes")
    await joining.wait_for(matching(event="enrolled"))
    assert [await joining.wait(), await inviting.wait()] == [0, 0]


async def test_a_joiner_that_is_killed_goes_on_where_it_was(site: Site) -> None:
    tablet, phone = site.machine("tablet-1"), site.machine("phone")
    inviting, shown = await site.desk.invite()
    joining = await tablet.host.spawn(tablet._argv("join", "--device", "tablet-1", "--json", *by_code(shown)))
    await inviting.wait_for(matching(event="asking"))
    joining.send_signal(SIGKILL)
    await joining.wait()
    assert not (tablet.state / "membership.json").exists()
    busy = await phone.join("phone", *by_text(shown), status=1)
    assert "another device is joining" in busy["message"]
    again = await tablet.join("tablet-1", *by_text(shown))
    assert await inviting.wait() == 0
    assert await site.desk.names() == ["desk", "tablet-1"]
    assert (await tablet.join("tablet-1", *by_text(shown))) == again | {"already": True}
    assert (await tablet.join("tablet-2", *by_text(shown), status=1))["code"] == "already-enrolled"


async def test_while_the_devices_run(site: Site) -> None:
    """invite, members and revoke go to the running device, which tells the others."""
    tablet, phone = site.machine("tablet-1"), site.machine("phone")
    static = 'discovery.chain=["mdns"]'
    desk = await sealed_up(site.desk.host, site.desk.state, static)
    ready = await desk.wait_for(matching(event="ready"))
    assert (await status(tablet, ready["listen"][0])) == 404
    inviting, shown = await site.desk.invite("--yes")
    assert shown["hosts"][0] == ready["listen"][0].removeprefix("http://")
    assert (await status(tablet, ready["listen"][0])) == 400
    assert (await status(tablet, ready["listen"][0], "x" * 5000)) == 413
    second = await site.desk.command("invite", status=1)
    assert "open already" in second.stderr
    await tablet.join("tablet-1", *by_text(shown))
    assert await inviting.wait() == 0
    assert (await status(tablet, ready["listen"][0])) == 404

    killed, shown = await site.desk.invite("--yes")
    await killed.kill()
    taken = await phone.join("DESK", *by_code(shown), status=1)
    assert "has that name" in taken["message"]
    assert (await site.desk.ask("members"))["running"] is True
    assert await site.desk.names() == ["desk", "tablet-1"]
    revoked = await site.desk.ask("revoke", "tablet-1")
    assert (revoked["deviceId"], revoked["running"]) == ("tablet-1", True)
    assert (await site.desk.ask("revoke", "tablet-1", status=1))["code"] == "peer-unavailable"
    await end(desk)
    assert await site.desk.names() == ["desk"]
    assert (await site.desk.ask("members"))["revoked"] != []


async def test_a_lost_admin_is_replaced_by_the_recovery_file(site: Site, tmp_path: Path) -> None:
    tablet, fresh = site.machine("tablet-1"), site.machine("fresh")
    inviting, shown = await site.desk.invite()
    await tablet.join("tablet-1", *by_text(shown))
    assert await inviting.wait() == 0
    assert (await tablet.ask("revoke", "desk", status=1))["code"] == "not-admin"
    assert (await tablet.ask("invite", status=1))["code"] == "not-admin"

    kept = tmp_path / "recovery.json"
    Path(site.init["recoveryFile"]).rename(kept)
    wrong_word = await tablet.ask("recover", "--recovery", str(kept), stdin=b"not this\n", status=1)
    assert wrong_word["code"] == "wrong-passphrase"
    passphrase = site.init["passphrase"].encode() + b"\n"
    recovered = await tablet.ask("recover", "--recovery", str(kept), stdin=passphrase)
    assert (recovered["deviceId"], sorted(recovered["members"])) == ("tablet-1", ["desk", "tablet-1"])
    assert (await tablet.ask("revoke", "desk"))["deviceId"] == "desk"

    anew = await fresh.ask("recover", "--recovery", str(kept), "--property", PROPERTY, "--device", "office", stdin=passphrase)
    assert (anew["members"], anew["propertyId"]) == (["office"], site.init["propertyId"])
    assert (await site.desk.ask("init", "--property", "x", "--device", "y", status=1))["code"] == "already-enrolled"


async def test_enrolled_devices_link(lab: Lab, tmp_path: Path) -> None:
    lan = lab.lan()
    desk, tablet = (Machine(lan.host(f"host-{name}"), tmp_path / name) for name in ("desk", "tablet-1"))
    await desk.ask("init", "--property", PROPERTY, "--device", "desk")
    one = await sealed_up(desk.host, desk.state)
    await one.wait_for(matching(event="ready"))
    inviting, shown = await desk.invite()
    await tablet.join("tablet-1", *by_text(shown))
    assert await inviting.wait() == 0
    two = await sealed_up(tablet.host, tablet.state)
    assert (await two.wait_for(matching(event="ready")))["propertyId"] == PROPERTY
    await linked(one, "tablet-1")
    await linked(two, "desk")
    await says(one, "tablet-1", "welcome")
    await hears(two, "desk", "welcome")
    await end(one, two)


async def status(machine: Machine, url: str, body: str = "{}") -> int:
    """What a stranger gets at the endpoint."""
    finished = await machine.host.run([sys.executable, "-c", ASK, f"{url}/pair", body])
    found: int = json.loads(finished.stdout)["status"]
    return found
