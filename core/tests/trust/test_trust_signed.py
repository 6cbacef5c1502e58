"""Signed things: JWS, credentials, rosters and how they follow one another."""

from __future__ import annotations

import base64
import itertools
import json
import pickle

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealed_site import NOW, Site, reason_of
from spake2.ed25519_basic import NotOnCurve, decodepoint, scalarmult_element_safe_slow, xform_affine_to_extended, xform_extended_to_affine

from hallway.errors import Untrusted
from hallway.trust import jws
from hallway.trust.claims import Claims, b64, unb64
from hallway.trust.credential import ADMIN_LIFE, DEVICE_LIFE, Chain, Role, Subject, check_time, issue, issue_admin, renew, verify_chain
from hallway.trust.group import GroupSecret
from hallway.trust.jws import Typ
from hallway.trust.keys import DeviceKeys, SealingKey, SigningKey, key_id, seal_to, verifying_key
from hallway.trust.roster import MAX_MEMBERS, MAX_ROSTER, Draft, Member, following, issue_roster, verify_roster
from hallway.trust.roster_book import HAND_OVER, HeldSecret, RosterBook

SITE = Site("a", "b", "c")
KEY = SigningKey(bytes(range(32)))
PUBLIC = verifying_key(KEY.public)


def word(call, *arguments, **options) -> str:
    with pytest.raises(Untrusted) as caught:
        call(*arguments, **options)
    return caught.value.reason


def raw_token(header: object, payload: bytes, key: SigningKey = KEY) -> str:
    """A token that is truly signed, whatever its header says."""
    head = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    text = b64(head) + "." + b64(payload)
    return text + "." + b64(key.private.sign(text.encode()))


GOOD_HEADER = {"alg": "EdDSA", "typ": "hw-offer+jws"}


class TestKeys:
    def test_secrets_show_themselves_to_nobody(self):
        keys, secret = DeviceKeys.generate(SITE.random), GroupSecret.generate(SITE.random)
        hidden = [keys.identity.raw(), keys.sealing.raw(), secret.raw()]
        shown = f"{keys!r} {keys} {secret!r} {secret} {keys.identity} {keys.sealing} {secret.aead!r} {keys.identity.private!r}"
        for raw in hidden:
            for form in (raw.hex(), b64(raw), base64.b64encode(raw).decode(), repr(raw)[2:-1]):
                assert form not in shown
        for each in (keys.identity, keys.sealing, secret):
            with pytest.raises(TypeError):
                pickle.dumps(each)

    def test_a_key_id_has_130_bits_of_the_hash(self):
        assert len(KEY.id) == 27
        assert KEY.id == key_id(KEY.public)
        assert KEY.id.startswith("d")

    @given(octets=st.binary(max_size=100), info=st.binary(max_size=20), other=st.binary(max_size=20))
    def test_what_is_sealed_to_one_is_read_by_it_for_that_use_only(self, octets, info, other):
        one, two = SealingKey(bytes(range(32))), SealingKey(bytes(range(1, 33)))
        sealed = seal_to(one.public, octets, info)
        assert one.unseal(sealed, info) == octets
        assert word(two.unseal, sealed, info) == "seal"
        if other != info:
            assert word(one.unseal, sealed, other) == "seal"

    @pytest.mark.attack("A11")
    def test_keys_of_small_order_sign_nothing(self):
        """What one of them has signed is everything, and everybody's; all there are, in every spelling that is read."""
        prime, order = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
        found = set[int]()
        for y in range(2, 60):
            try:
                point = xform_affine_to_extended(decodepoint(y.to_bytes(32, "little")))
            except NotOnCurve:
                continue
            found.add(xform_extended_to_affine(scalarmult_element_safe_slow(point, order))[1])
        assert len(found | {1}) == 5
        spelled = [y + more for y in found | {1} for more in (0, prime) if y + more < 1 << 255]
        keys = [(y | sign << 255).to_bytes(32, "little") for y in spelled for sign in (0, 1)]
        assert [word(verifying_key, key) for key in keys] == ["claims"] * len(keys)

    def test_keys_of_low_order_are_not_sealed_to(self):
        assert word(seal_to, bytes(32), b"x", b"") == "claims"


class TestJws:
    def test_what_is_signed_is_read(self):
        token = jws.sign(Typ.OFFER, {"a": 1}, KEY)
        assert jws.verify(token, Typ.OFFER, PUBLIC, 1000) == Claims({"a": 1})
        assert token.partition(".")[0] == raw_token(GOOD_HEADER, b"").partition(".")[0]

    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            ({"typ": "hw-offer+jws", "alg": "none"}, "header"),
            ({"alg": "HS256", "typ": "hw-offer+jws"}, "header"),
            ({"alg": "ES256", "typ": "hw-offer+jws"}, "header"),
            ({"alg": "EdDSA", "typ": "hw-cred+jws"}, "type"),
            ({"alg": "EdDSA", "typ": "JWT"}, "header"),
            ({"alg": "EdDSA", "crit": ["b64"], "b64": False, "typ": "hw-offer+jws"}, "header"),
            ({"alg": "EdDSA", "crit": ["x"], "typ": "hw-offer+jws", "x": 1}, "header"),
            ({"alg": "EdDSA", "jwk": {}, "typ": "hw-offer+jws"}, "header"),
            (b'{"alg":"EdDSA","alg":"EdDSA","typ":"hw-offer+jws"}', "header"),
            (b'{"alg":"EdDSA", "typ":"hw-offer+jws"}', "header"),
            (b"[" * 100, "header"),
        ],
    )
    @pytest.mark.attack("A11")
    def test_other_headers_are_refused_though_signed(self, header, reason):
        assert word(jws.verify, raw_token(header, b"{}"), Typ.OFFER, PUBLIC, 10_000) == reason

    @pytest.mark.attack("A11")
    def test_hs256_with_the_public_key_is_refused(self):
        token = jwt.PyJWS().encode(b"{}", KEY.public, algorithm="HS256", headers={"typ": "hw-offer+jws"})
        assert word(jws.verify, token, Typ.OFFER, PUBLIC, 10_000) in {"header", "form"}

    @pytest.mark.attack("A11")
    def test_another_spelling_of_a_token_is_refused(self):
        token = jws.sign(Typ.OFFER, {"a": 1}, KEY)
        head, body, signature = token.split(".")
        last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        twin = signature[:-1] + last[last.index(signature[-1]) ^ 1]
        for spelling in (
            token + "=",
            token + "==",
            f"{head}==.{body}.{signature}",
            f"{head}.{body}=.{signature}",
            token + "\n",
            token + "é",
        ):
            assert word(jws.verify, spelling, Typ.OFFER, PUBLIC, 10_000) == "form"
        assert word(jws.verify, f"{head}.{body}.{twin}", Typ.OFFER, PUBLIC, 10_000) == "signature"

    @pytest.mark.parametrize(
        "payload",
        [b'{"a":1,"a":2}', b'{"x":{"a":1,"a":1}}', b"[]", b"1", b" ", b"\xff", b'{"a":NaN}', b'{"a":1.0}', b'{"a":' + b"[" * 5000],
    )
    @pytest.mark.attack("A11")
    def test_payloads_that_we_would_not_write_are_refused_though_signed(self, payload):
        assert word(jws.verify, raw_token(GOOD_HEADER, payload), Typ.OFFER, PUBLIC, 10_000) == "claims"

    @pytest.mark.attack("A11")
    def test_size_counts_before_anything_else(self):
        assert word(jws.verify, "A" * 1_000_000, Typ.OFFER, PUBLIC, 1000) == "size"

    @pytest.mark.fuzz
    @given(text=st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]{1,60}\.[A-Za-z0-9_-]{1,60}\.[A-Za-z0-9_-]{86}", fullmatch=True))
    def test_any_text_is_refused(self, text):
        assert word(jws.verify, text, Typ.OFFER, PUBLIC, 1000)

    @given(st.binary(max_size=60))
    def test_base64url_has_one_form(self, octets):
        assert unb64(b64(octets)) == octets

    @given(st.text(max_size=20))
    def test_other_forms_are_no_base64url(self, text):
        try:
            octets = unb64(text)
        except ValueError:
            return
        assert b64(octets) == text


class TestCredentials:
    def test_a_chain_is_verified_from_the_root(self):
        _, chain = SITE.devices["a"]
        assert chain.leaf.name == "a"
        assert chain.leaf.role is Role.MEMBER
        assert [one.role for one in chain.credentials] == [Role.MEMBER, Role.ADMIN]

    def test_chains_that_are_too_long_too_short_turned_or_foreign(self):
        leaf, admin = SITE.devices["a"][1].tokens
        for tokens in ([], [leaf, leaf, admin]):
            assert word(verify_chain, tokens, SITE.root.public, NOW) == "chain"
        for tokens in ([leaf], [admin, leaf], [leaf, leaf]):
            assert word(verify_chain, tokens, SITE.root.public, NOW) == "chain"
        assert word(verify_chain, [leaf, admin], Site(seed=9).root.public, NOW) == "chain"

    @pytest.mark.attack("A16")
    def test_a_member_takes_nobody_in(self):
        keys, chain = SITE.devices["a"]
        subject = Subject(SITE.devices["b"][0].identity.public, SITE.devices["b"][0].sealing.public, "x")
        assert word(issue, keys.identity, chain, subject, NOW, SITE.random, epoch=1) == "issuer"
        forged = jws.sign(Typ.CREDENTIAL, _claims(chain.tokens[0]) | {"iss": keys.id}, keys.identity)
        assert word(verify_chain, [forged, chain.tokens[0]], SITE.root.public, NOW) == "chain"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"role": "admin"}, "issuer"),
            ({"role": "king"}, "role"),
            ({"exp": int(NOW) + 2 * ADMIN_LIFE}, "issuer"),
            ({"pid": b64(bytes(32))}, "property"),
            ({"iss": "d" + "a" * 26}, "chain"),
            ({"sub": "d" + "a" * 26}, "claims"),
            ({"nm": "not a name"}, "claims"),
            ({"nbf": int(NOW) + 10**9}, "claims"),
            ({"exp": True}, "claims"),
            ({"exp": -1}, "claims"),
            ({"ser": "AA"}, "claims"),
            ({"ik": None}, "claims"),
        ],
    )
    @pytest.mark.attack("A16")
    def test_what_a_rogue_admin_signs(self, change, reason):
        admin, own = SITE.admins["admin"]
        token = jws.sign(Typ.CREDENTIAL, _claims(SITE.devices["a"][1].tokens[0]) | change, admin.identity)
        assert word(verify_chain, [token, *own.tokens], SITE.root.public, NOW) == reason

    def test_lives_and_renewal(self):
        admin, own = SITE.admins["admin"]
        leaf = SITE.devices["a"][1].leaf
        assert leaf.expires - leaf.issued == DEVICE_LIFE
        assert leaf.renew_at == leaf.issued + DEVICE_LIFE * 2 / 3
        late = own.leaf.expires - 1000.0
        token = renew(admin.identity, own, leaf, late, SITE.random, epoch=2)
        again = verify_chain([token, *own.tokens], SITE.root.public, late).leaf
        assert (again.sub, again.name, again.expires) == (leaf.sub, leaf.name, own.leaf.expires)
        assert again.serial != leaf.serial
        assert word(check_time, leaf, leaf.expires) == "credential-expired"

    def test_keys_and_names_that_cannot_be_used_get_no_credential(self):
        admin, own = SITE.admins["admin"]
        good = SITE.devices["a"][0]
        for subject in (
            Subject(good.identity.public, bytes(32), "x"),
            Subject(good.identity.public, good.sealing.public, "a b"),
            Subject(good.identity.public, good.sealing.public, "x", Role.ADMIN),
        ):
            assert word(issue, admin.identity, own, subject, NOW, SITE.random, epoch=1) in {"claims", "name", "issuer"}

    def test_a_membership_takes_a_newer_credential_of_its_own_only(self):
        admin, own = SITE.admins["admin"]
        member = SITE.membership("a")
        token = renew(admin.identity, own, member.chain.leaf, NOW, SITE.random, epoch=1)
        member.renewed((token, *own.tokens), NOW)
        assert member.floor == int(NOW)
        assert word(member.renewed, SITE.devices["a"][1].tokens, NOW) == "rollback"
        assert word(member.renewed, SITE.devices["b"][1].tokens, NOW) == "from"


def _claims(token: str) -> dict[str, object]:
    return json.loads(unb64(token.split(".")[1]))


def _admin() -> tuple[SigningKey, Chain]:
    keys, chain = SITE.admins["admin"]
    return keys.identity, chain


def book(name: str, site: Site = SITE) -> RosterBook:
    return site.membership(name).book


class TestRosters:
    def test_a_revocation_leaves_the_new_secret_to_the_others(self):
        roster = SITE.next(SITE.roster, revoke=("c",))
        for name in ("a", "b"):
            one = book(name)
            news = one.offered(roster.text, NOW)
            assert news.replaced
            assert news.revoked == {SITE.devices["c"][0].id}
            assert not one.secret.same(SITE.secret)
            assert one.held(SITE.secret.kid, NOW + HAND_OVER - 1) is not None
            assert one.held(SITE.secret.kid, NOW + HAND_OVER) is None
        keys = SITE.devices["c"][0]
        assert roster.secret(keys.id, keys.sealing) is None

    @pytest.mark.attack("A12", "A16")
    def test_rollback_members_and_revoked_admins_are_refused(self):
        first = SITE.next(SITE.roster, revoke=("c",))
        one = book("a")
        one.offered(first.text, NOW)
        assert word(one.offered, SITE.roster.text, NOW) == "rollback"
        assert not one.offered(first.text, NOW).replaced
        keys, chain = SITE.devices["b"]
        assert word(issue_roster, keys.identity, chain, Draft(9, ()), SITE.secret, NOW) == "issuer"
        forged = jws.sign(Typ.ROSTER, _claims(first.text.partition("~")[0]) | {"ep": 9}, keys.identity)
        assert word(one.offered, f"{forged}~{chain.tokens[0]}", NOW) == "chain"
        assert word(one.offered, f"{forged}~{SITE.admins['admin'][1].tokens[0]}", NOW) == "signature"

    def test_forks_end_alike_in_whatever_order_they_come(self):
        site = Site("a", "b", "c", "d")
        site.admin("second")
        left, right = site.next(site.roster, revoke=("c",)), site.next(site.roster, revoke=("d",), by="second")
        later = site.next(left, revoke=("b",))
        ends = set()
        for order in itertools.permutations([left, right, later]):
            one = book("a", site)
            for roster in order:
                assert reason_of(one.offered, roster.text, NOW) in {"", "rollback"}
            ends.add((one.current.digest, frozenset(one.revocations)))
            assert one.unsettled
            assert one.secret.same(later.secret(site.devices["a"][0].id, site.devices["a"][0].sealing))
        assert ends == {(later.digest, frozenset(site.devices[name][0].id for name in "bcd"))}

    def test_a_fork_is_settled_by_the_next_roster(self):
        site = Site("a", "b", "c")
        site.admin("second")
        _, new = site.device("new")
        grown = site.next(site.roster, add=(Member.of(new.leaf),))
        other = site.next(site.roster, revoke=("c",), by="second")
        one = book("a", site)
        for roster in (grown, other):
            assert reason_of(one.offered, roster.text, NOW) in {"", "rollback"}
        draft = following(one.current, add=one.lost, also=one.revocations.values(), now=NOW)
        one.offered(site.signed(draft, GroupSecret.generate(site.random)).text, NOW)
        assert not one.unsettled
        assert one.current.member("c") is None
        assert one.current.member("new") is not None

    @pytest.mark.attack("A12")
    def test_the_rosters_of_an_admin_fall_with_it(self):
        site = Site("a", "b")
        site.admin("thief")
        stolen = site.next(site.next(site.roster, by="thief"), by="thief")
        one = book("a", site)
        one.offered(stolen.text, NOW)
        good = site.next(site.roster, revoke=("thief",))
        assert one.offered(good.text, NOW).replaced
        assert one.current.digest == good.digest
        assert word(one.offered, site.next(stolen, by="thief").text, NOW) == "revoked"

    def test_a_full_roster_is_within_its_bound(self):
        site = Site()
        leaf = site.devices.get("a", site.admins["admin"])[1].leaf
        members = tuple(
            Member(f"d{n:026}".translate(str.maketrans("0189", "abcd")), leaf.serial, f"{n:063}", Role.MEMBER, leaf.sealing)
            for n in range(MAX_MEMBERS)
        )
        text = site.signed(Draft(2, members), site.secret).text
        assert len(text) < MAX_ROSTER
        assert word(site.signed, Draft(2, (*members, members[0])), site.secret) == "size"
        assert word(site.signed, Draft(2, (members[0], members[0])), site.secret) == "name"

    @pytest.mark.fuzz
    @given(
        change=st.dictionaries(
            st.sampled_from(["pid", "ep", "prev", "iat", "min_ep", "admins", "revoked", "members", "gk"]),
            st.recursive(
                st.none() | st.integers() | st.text(max_size=5),
                lambda inner: (
                    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sub", "ser", "nm", "role", "xk", "at"]), inner)
                ),
                max_leaves=8,
            ),
            min_size=1,
            max_size=3,
        )
    )
    def test_whatever_an_admin_signs_is_a_roster_or_refused(self, change):
        admin, own = SITE.admins["admin"]
        token = jws.sign(Typ.ROSTER, _claims(SITE.roster.text.partition("~")[0]) | change, admin.identity)
        assert reason_of(verify_roster, f"{token}~{own.tokens[0]}", SITE.root.public, NOW) in {"", "claims", "property", "role"}

    def test_the_root_names_admins_only_and_a_second_one_works(self):
        token = issue_admin(SITE.root, Subject(KEY.public, SITE.devices["a"][0].sealing.public, "x", Role.MEMBER), NOW, SITE.random)
        assert verify_chain([token], SITE.root.public, NOW).leaf.role is Role.ADMIN

    def test_no_roster_revokes_the_admin_that_signs_it(self):
        text = issue_roster(*_admin(), following(SITE.roster, revoke=[SITE.admins["admin"][0].id], now=NOW), SITE.secret, NOW)
        assert word(book("a").offered, text, NOW) == "issuer"

    def test_secrets_of_the_past_are_bounded(self):
        site = Site("a")
        one, current = book("a", site), site.roster
        for _ in range(40):
            current = site.next(current)
            one.offered(current.text, NOW)
        assert len(one.secrets) == 32
        assert isinstance(one.secrets[0], HeldSecret)
