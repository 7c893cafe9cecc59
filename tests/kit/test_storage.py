"""Objects on disk, in memory and in a bucket: one behaviour."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from landform.kit.crypto import KEY_BYTES, Keyring, SealError
from landform.kit.errors import ConflictError, NotFoundError, UnavailableError
from landform.kit.storage import Store, open_store

BUCKET = "landform"
KEYS = {"access_key_id": "test", "secret_access_key": "test", "region": "us-east-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=BUCKET)
    yield endpoint
    server.stop()


@pytest.fixture(params=["file", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, keyring: Keyring) -> Store:
    if request.param == "s3":
        endpoint = request.getfixturevalue("s3")
        prefix = f"s3://{BUCKET}/{tmp_path.name}"
        return open_store(prefix, keyring, endpoint=endpoint, **KEYS)
    if request.param == "file":
        return open_store(f"file://{tmp_path}/objects", keyring)
    return open_store("memory://", keyring)


def with_key(store: Store, *keys: bytes) -> None:
    """Give the store's ring these keys, as a rotation does."""
    ring = store._keyring
    ring._keys = (*keys, *ring.keys)


async def test_every_object_is_listed_and_says_which_key_it_needs(
    store: Store, keyring: Keyring
) -> None:
    await store.put("a/b/c", b"one")
    await store.put("a/d", b"two")
    listed = [each.path async for page in store.pages() for each in page]
    assert sorted(listed) == ["a/b/c", "a/d"]
    assert await store.key_id_of("a/d") == keyring.ids[0]
    assert await store.key_id_of("a/nothing") is None


async def test_an_object_is_sealed_anew_with_the_current_key(
    store: Store, keyring: Keyring
) -> None:
    await store.put("a", b"clear")
    before = keyring.ids[0]
    with_key(store, b"n" * KEY_BYTES)
    assert await store.reseal("a")
    assert await store.key_id_of("a") == keyring.ids[0] != before
    assert await store.get("a") == b"clear"
    assert not await store.reseal("nothing")


async def test_an_object_that_was_replaced_meanwhile_is_left_as_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put("a", b"old")
    replace = store._replace

    async def late(path: str, sealed: bytes, *, e_tag: str) -> bool:
        await store.put("a", b"newer")
        return await replace(path, sealed, e_tag=e_tag)

    monkeypatch.setattr(store, "_replace", late)
    assert not await store.reseal("a")
    assert await store.get("a") == b"newer"


async def test_what_was_put_is_what_is_got(store: Store) -> None:
    data = b"state" * 100_000
    await store.put("states/ws-1/sv-1.tfstate", data)
    assert await store.get("states/ws-1/sv-1.tfstate") == data


async def test_several_objects_come_in_the_order_asked_for(store: Store) -> None:
    for number in range(20):
        await store.put(f"logs/{number}", str(number).encode())
    paths = [f"logs/{number}" for number in reversed(range(20))]
    assert await store.get_many(paths) == [path.removeprefix("logs/").encode() for path in paths]


async def test_what_is_not_there_is_said_to_be_so(store: Store) -> None:
    with pytest.raises(NotFoundError, match="states/none"):
        await store.get("states/none")


async def test_the_second_to_create_an_object_is_refused_and_the_first_stays(store: Store) -> None:
    await store.create("configurations/cv-1.tar.gz", b"first")
    with pytest.raises(ConflictError):
        await store.create("configurations/cv-1.tar.gz", b"second")
    assert await store.get("configurations/cv-1.tar.gz") == b"first"


async def test_deleting_twice_is_as_good_as_once(store: Store) -> None:
    await store.put("a", b"x")
    await store.delete(["a", "never-there"])
    await store.delete(["a"])
    with pytest.raises(NotFoundError):
        await store.get("a")


async def test_no_clear_text_is_on_disk_and_no_object_poses_as_another(
    tmp_path: Path, keyring: Keyring
) -> None:
    store = open_store(f"file://{tmp_path}", keyring)
    await store.put("states/a", b"canary-6f1d")
    await store.put("states/b", b"other")
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and b"canary" in path.read_bytes()
    ]
    (tmp_path / "states" / "b").write_bytes((tmp_path / "states" / "a").read_bytes())
    with pytest.raises(SealError):
        await store.get("states/b")


async def test_a_store_that_is_away_is_unavailable_not_empty(keyring: Keyring) -> None:
    away = open_store(
        f"s3://{BUCKET}",
        keyring,
        endpoint="http://127.0.0.1:9",
        retry_config={"max_retries": 0},
        **KEYS,
    )
    with pytest.raises(UnavailableError):
        await away.get("states/a")
    with pytest.raises(UnavailableError):
        await away.put("states/a", b"x")
