"""Swift that fails, lags, loses answers, or serves two at the same moment: on a stand-in that does so on demand."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import plan_stores
import pytest
import swift_stub
from plan_stores import connection, in_swift, options, write
from swift_server import Account

from tripleo_ffwd.exceptions import ConfigurationError, Unavailable, WriteRefused
from tripleo_ffwd.plan.store import open_store
from tripleo_ffwd.plan.swift import account as swift_account
from tripleo_ffwd.plan.swift.claims import Claims
from tripleo_ffwd.plan.tree import contents


@pytest.fixture
def stub():
    with swift_stub.serving() as server:
        yield server


@pytest.fixture
def account(stub):
    return Account(stub.url, stub.token)


@pytest.fixture
def store(account, tmp_path):
    return in_swift(account)(tmp_path / "work")


def once(stub, condition, answer: str):
    """Fail the first request that fits."""
    left = [answer]

    def fault(method: str, container: str, name: str) -> str:
        return left.pop() if left and condition(method, container, name) else ""

    stub.fault = fault


def test_a_copy_that_broke_off_is_finished_by_the_next_write(store, stub, templates):
    first = store.create_version("p", templates=templates, environments=["environments/docker.yaml"], phase="prepare")
    write(templates, {"environments/docker.yaml": "parameter_defaults: {Docker: 2}\n", "more.txt": "more"})
    stub.fault = lambda method, container, name: (
        "403" if (method, container, name) == ("PUT", "p", "plan-environment.yaml") else ""
    )
    with pytest.raises(ConfigurationError, match=r"p/plan-environment.yaml can't be written"):
        store.create_version("p", templates=templates, phase="prepare")
    stub.fault = lambda *_: ""
    # The pointer was switched: the version is whole, and only TripleO's container is between the two.
    current = store.current("p")
    assert current.number == 2 and "Docker: 2" in current.environment_paths[-1].read_text()
    assert store.foreign("p") == ()
    assert store.create_version("p", phase="prepare") == current
    there = stub.files("p")
    assert there["environments/docker.yaml"] == b"parameter_defaults: {Docker: 2}\n" and "more.txt" in there
    assert store.restore("p", first.number).number == 3
    assert "more.txt" not in stub.files("p")


@pytest.mark.parametrize("name", ["files/", "versions/", "current.json"])
def test_a_version_that_could_not_be_stored_leaves_the_plan_as_it_was(store, stub, templates, name):
    first = store.create_version("p", templates=templates, phase="prepare")
    before = stub.files("p")
    write(templates, {"more.txt": "more"})
    stub.fault = lambda method, container, given: (
        "413" if method == "PUT" and container == "p-ffwd" and given.startswith(name) else ""
    )
    with pytest.raises((WriteRefused, Unavailable), match=rf"p-ffwd/{name}"):
        store.create_version("p", templates=templates, phase="prepare")
    assert store.current("p") == first and stub.files("p") == before
    stub.fault = lambda *_: ""
    second = store.create_version("p", templates=templates, phase="prepare")
    assert second.number == 2 and store.current("p") == second


def test_a_quota_says_that_there_is_no_room(store, stub, templates):
    stub.fault = lambda method, container, name: "413" if method == "PUT" and name else ""
    with pytest.raises(WriteRefused, match="there is no room"):
        store.create_version("p", templates=templates, phase="prepare")


def test_a_short_failure_is_ridden_out(store, stub, templates):
    once(stub, lambda method, container, name: name.startswith("files/"), "503")
    assert store.create_version("p", templates=templates, phase="prepare").number == 1


def test_a_lost_answer_to_a_claim_is_no_lost_claim(store, stub, templates):
    lost = []

    def written(container: str, name: str) -> None:
        if name.startswith("versions/") and not lost:
            lost.append(name)
            raise ConnectionResetError

    stub.written = written
    assert store.create_version("p", templates=templates, phase="prepare").number == 1
    assert lost == ["versions/000001.json"]
    assert [version.number for version in store.versions("p")] == [1]


def test_wrong_credentials_and_no_swift_at_all_are_named_without_the_token(account, stub, tmp_path):
    with pytest.raises(ConfigurationError, match="credentials are not accepted") as caught:
        in_swift(Account(stub.url, "wrong-9c2d"))(tmp_path).current("p")
    assert "wrong-9c2d" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="Nothing says where Swift is"):
        open_store(options(plan_backend="swift"))
    stub.shutdown()
    stub.server_close()
    with pytest.raises(Unavailable, match=r"Swift at http://127\.0\.0\.1"):
        connection(account).container_headers("p")


def test_what_answers_something_else_is_not_swift(stub, account):
    stub.fault = lambda *_: "200"
    with pytest.raises(Unavailable, match=r"what answers is not Swift|damaged"):
        connection(account).listing("p")


def test_the_endpoint_comes_from_the_caller_s_catalog(stub):
    endpoint = {"interface": "public", "region": "one", "url": stub.url}
    caller = swift_stub.caller()
    caller.service_catalog = {"catalog": [{"type": "object-store", "endpoints": [endpoint]}]}
    assert swift_account.connect(options(), caller).containers() == {}


def test_long_listings_are_read_to_their_end(stub, account):
    api = connection(account)
    api.make_container("many")
    names = [f"file-{number:03d}" for number in range(50)]
    api.each(lambda name: api.put("many", name, name.encode()), names)
    assert stub.page < 50 and list(api.listing("many")) == names


def test_a_listing_that_lags_hides_no_version_and_tells_of_no_change(store, stub, templates):
    first = store.create_version("p", templates=templates, environments=["environments/docker.yaml"], phase="prepare")
    stub.stale = {name: dict(found.objects) for name, found in stub.containers.items()}
    write(templates, {"environments/docker.yaml": "parameter_defaults: {Docker: 2}\n", "more.txt": "more"})
    second = store.create_version("p", templates=templates, phase="prepare")
    assert store.versions("p") == (first, second)
    assert store.foreign("p") == ()
    assert store.current("p") == second
    assert store.create_version("p", phase="converge").number == 3


def test_two_claims_at_the_same_moment_have_one_winner(stub, account):
    """Both PUTs are past Swift's look when the first is written: each is told that it created the object."""
    connection(account).make_container("c")
    together = threading.Barrier(2, timeout=10)
    stub.between = lambda container, name: together.wait() if name == "lock/000001.json" else None
    claims = [Claims(connection(account), "c", "lock", 0.3) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        won = list(pool.map(lambda pair: pair[1].claim(1, {"who": pair[0]}), enumerate(claims)))
    assert sorted(won) == [False, True]
    assert claims[0].read(1) == {"who": won.index(True)}


def test_two_work_directories_that_publish_at_once_get_a_number_each(stub, account, tmp_path):
    sources = []
    for number in range(2):
        files = {**plan_stores.FILES, "mark.txt": str(number)}
        sources.append(write(tmp_path / f"templates{number}", files))
    together = threading.Barrier(2, timeout=10)
    stub.between = lambda container, name: together.wait() if name == "versions/000001.json" else None
    stores = [in_swift(account, settle=0.3)(tmp_path / f"work{number}") for number in range(2)]

    def publish(number: int):
        return stores[number].create_version("p", templates=sources[number], phase="prepare", switch=False)

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(publish, range(2)))
    assert sorted(version.number for version in made) == [1, 2]
    for number, version in enumerate(made):
        assert contents(stores[1 - number].version("p", version.number).files_dir)["mark.txt"] == str(number).encode()


@pytest.mark.parametrize("name", ["/etc/passwd", "a//b", "a/../../b", "overcloud.j2.yaml/x"])
def test_names_in_a_container_can_t_lead_elsewhere(stub, account, tmp_path, name):
    stub.containers["evil"] = swift_stub.Container()
    stub.containers["evil"].objects = {"overcloud.j2.yaml": b"a: 1\n", name: b"b"}
    store = in_swift(account)(tmp_path / "work")
    if ".." in name:  # passed over like any name with a part that begins with a dot
        store.backend.download("evil", tmp_path / "got")
    else:
        with pytest.raises(Exception, match="can't be a file's"):
            store.backend.download("evil", tmp_path / "got")
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"overcloud.j2.yaml"}
