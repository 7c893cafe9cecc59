"""Objects on disk, in memory and in a bucket: one behaviour."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from landform.kit.crypto import HEAD_BYTES, KEY_BYTES, TAG_BYTES, Keyring, SealError
from landform.kit.errors import ConflictError, NotFoundError, UnavailableError
from landform.kit.storage import Content, Store, open_store

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


HUGE = 9 * 2**20 + 12_345


async def read(content: Content) -> bytes:
    return b"".join([piece async for piece in content.pieces])


@pytest.mark.parametrize("size", [0, 1, 16, 2**20, HUGE, 9 * 2**20])
async def test_an_object_of_any_size_is_opened_in_pieces_and_got_whole(
    store: Store, size: int
) -> None:
    data = os.urandom(size)
    await store.put("a", data)
    content = await store.open("a")
    assert content.size_bytes == size
    assert await read(content) == data
    assert await store.get("a") == data
    await store.put("a", bytearray(data))
    assert await read(await store.open("a")) == data


async def test_no_two_seals_of_a_huge_object_are_alike_and_none_has_the_clear_text(
    tmp_path: Path, keyring: Keyring
) -> None:
    store = open_store(f"file://{tmp_path}", keyring)
    data = b"canary-6f1d" * (HUGE // 11)
    await store.put("a", data)
    await store.put("b", data)
    one, other = ((tmp_path / name).read_bytes() for name in "ab")
    assert one != other
    assert b"canary" not in one + other
    assert len(one) == len(data) + HEAD_BYTES + TAG_BYTES


async def test_one_that_was_sealed_in_one_go_opens_in_pieces_and_the_other_way_round(
    tmp_path: Path, keyring: Keyring
) -> None:
    store = open_store(f"file://{tmp_path}", keyring)
    data = os.urandom(HUGE)
    (tmp_path / "a").write_bytes(keyring.seal(data, place="a"))
    assert await read(await store.open("a")) == data
    await store.put("a", data)
    assert keyring.open((tmp_path / "a").read_bytes(), place="a") == data


@pytest.mark.parametrize(
    "alter",
    [
        lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]),
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + b"x",
        lambda sealed: sealed[: HEAD_BYTES + 8 * 2**20 + TAG_BYTES],
        lambda sealed: sealed[: 2**20] + bytes([sealed[2**20] ^ 1]) + sealed[2**20 + 1 :],
        lambda sealed: sealed[:HEAD_BYTES] + sealed[HEAD_BYTES + 2**20 :],
        lambda sealed: (
            sealed[:HEAD_BYTES]
            + sealed[HEAD_BYTES + 2**20 : HEAD_BYTES + 2**21]
            + sealed[HEAD_BYTES : HEAD_BYTES + 2**20]
            + sealed[HEAD_BYTES + 2**21 :]
        ),
        lambda sealed: b"LF2" + sealed[3:],
        lambda sealed: b"x" * len(sealed),
    ],
)
async def test_of_a_huge_object_that_was_altered_not_one_byte_is_given(
    tmp_path: Path, keyring: Keyring, alter: Callable[[bytes], bytes]
) -> None:
    store = open_store(f"file://{tmp_path}", keyring)
    await store.put("a", os.urandom(HUGE))
    file = tmp_path / "a"
    file.write_bytes(alter(file.read_bytes()))
    with pytest.raises(SealError):
        await store.open("a")


async def test_a_huge_object_does_not_open_at_another_s_place(
    tmp_path: Path, keyring: Keyring
) -> None:
    store = open_store(f"file://{tmp_path}", keyring)
    await store.put("a", os.urandom(HUGE))
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes())
    with pytest.raises(SealError):
        await store.open("b")


async def test_what_is_altered_while_a_huge_object_is_read_is_not_given(
    tmp_path: Path, keyring: Keyring
) -> None:
    store = open_store(f"file://{tmp_path}", keyring)
    data = os.urandom(HUGE)
    await store.put("a", data)
    content = await store.open("a")
    first = await anext(content.pieces)
    with (tmp_path / "a").open("r+b") as file:  # in place, where the reader has it open
        file.seek(HEAD_BYTES + 5 * 2**20)
        file.write(b"altered")
    given = [first]
    with pytest.raises(SealError, match="altered while it was read"):
        await read(Content(content.size_bytes, _noted(content.pieces, given)))
    assert data.startswith(b"".join(given))


async def _noted(pieces: AsyncIterator[bytes], given: list[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        given.append(piece)
        yield piece


async def test_a_huge_object_that_is_replaced_while_it_is_read_is_given_as_it_was(
    tmp_path: Path, keyring: Keyring
) -> None:
    store = open_store(f"file://{tmp_path}", keyring)
    data = os.urandom(HUGE)
    await store.put("a", data)
    content = await store.open("a")
    first = await anext(content.pieces)
    with_key(store, os.urandom(KEY_BYTES))
    assert await store.reseal("a")
    assert first + await read(content) == data
    assert await read(await store.open("a")) == data


async def test_a_huge_object_that_is_not_there_or_away_is_said_to_be_so(
    store: Store, keyring: Keyring
) -> None:
    with pytest.raises(NotFoundError):
        await store.open("a")
    away = open_store(
        f"s3://{BUCKET}",
        keyring,
        endpoint="http://127.0.0.1:9",
        retry_config={"max_retries": 0},
        **KEYS,
    )
    with pytest.raises(UnavailableError):
        await away.open("a")
    with pytest.raises(UnavailableError):
        await away.put("a", bytes(HUGE))
