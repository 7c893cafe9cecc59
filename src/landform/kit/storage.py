"""Write-once objects: state, plans, configurations and logs, encrypted, on disk or in a bucket."""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from landform.kit.crypto import (
    HEAD_BYTES,
    HEADER_BYTES,
    TAG_BYTES,
    Binary,
    Keyring,
    Opening,
    SealError,
    used_key_id,
)
from landform.kit.errors import ConflictError, NotFoundError, UnavailableError

_CONCURRENT_READS: Final = 8
_PAGE: Final = 1000
_LARGE: Final = 1 << 20  # bytes whose encryption would keep everybody else waiting
_HUGE: Final = 8 << 20  # bytes of which no second copy is made
_PIECE: Final = 1 << 20
_PART: Final = 8 << 20  # of an upload; buckets take none below 5 MiB but the last
_PARTS_AT_ONCE: Final = 2
_TRIES: Final = 5


@dataclass(frozen=True)
class Stored:
    """One object as a listing has it; the size is that of what is stored."""

    path: str
    size_bytes: int


@dataclass(frozen=True)
class Content:
    """What an object holds, to be read once; the size is that of all pieces together."""

    size_bytes: int
    pieces: AsyncIterator[bytes]


class Store:
    """Objects by path; each is encrypted and bound to its path, so none can pose as another."""

    def __init__(self, objects: ObjectStore, keyring: Keyring) -> None:
        self._objects = objects
        self._keyring = keyring

    async def put(self, path: str, data: Binary) -> None:
        """Write the object; a second write to `path` must carry the same purpose and replaces it.

        Raises:
            UnavailableError: the store did not take it.
        """
        try:
            if len(data) < _HUGE:
                await obstore.put_async(self._objects, path, await self._sealed(path, data))
            else:
                await obstore.put_async(
                    self._objects,
                    path,
                    self._sealed_pieces(path, data),
                    use_multipart=True,
                    chunk_size=_PART,
                    max_concurrency=_PARTS_AT_ONCE,
                )
        except (OSError, obstore.exceptions.BaseError) as failure:
            raise UnavailableError(f"The object store did not take {path}.") from failure

    async def create(self, path: str, data: Binary) -> None:
        """Write the object only if `path` is free.

        Raises:
            ConflictError: something is there already; it was left as it is.
            UnavailableError: the store did not take it.
        """
        sealed = await self._sealed(path, data)
        try:
            await obstore.put_async(self._objects, path, sealed, mode="create")
        except (FileExistsError, obstore.exceptions.AlreadyExistsError):
            raise ConflictError(f"{path} was written before.") from None
        except (OSError, obstore.exceptions.BaseError) as failure:
            raise UnavailableError(f"The object store did not take {path}.") from failure

    async def get(self, path: str) -> bytes:
        """Read the object.

        Raises:
            NotFoundError: there is none.
            SealError: it was altered, moved, or encrypted with a key this process lacks.
            UnavailableError: the store did not answer.
        """
        try:
            answer = await obstore.get_async(self._objects, path)
            sealed = memoryview(await answer.bytes_async())
        except (FileNotFoundError, obstore.exceptions.NotFoundError):
            raise NotFoundError(f"There is no object {path}.") from None
        except (OSError, obstore.exceptions.BaseError) as failure:
            raise UnavailableError(f"The object store did not give {path}.") from failure
        if sealed.nbytes < _LARGE:
            return self._keyring.open(sealed, place=path)
        return await asyncio.to_thread(self._keyring.open, sealed, place=path)

    async def open(self, path: str) -> Content:
        """Read the object to give it on piece by piece; a huge one is never held as a whole.

        Nothing is given before all of it was looked at. So a huge one is read twice: to see that
        it is what was sealed, noting a digest of each piece; then to give those very pieces.

        Raises:
            As `get`. As it is read on: SealError, when somebody alters it at that moment.
        """
        try:
            for _ in range(_TRIES):
                answer = await obstore.get_async(self._objects, path)
                if answer.meta["size"] < _HUGE:
                    sealed = memoryview(await answer.bytes_async())
                    data = self._keyring.open(sealed, place=path)
                    return Content(len(data), _whole(data))
                pieces = _cut(answer.stream(min_chunk_size=_PIECE), answer.meta["size"], path)
                digests = [_digest(piece) async for piece in self._looked_at(pieces, path)]
                with suppress(obstore.exceptions.PreconditionError):  # it was sealed anew
                    return await self._again(path, answer.meta["e_tag"], digests)
        except (FileNotFoundError, obstore.exceptions.NotFoundError):
            raise NotFoundError(f"There is no object {path}.") from None
        except (OSError, obstore.exceptions.BaseError) as failure:
            raise UnavailableError(f"The object store did not give {path}.") from failure
        raise UnavailableError(f"{path} changes all the time; try again.")

    async def _looked_at(self, pieces: AsyncIterator[bytes], path: str) -> AsyncIterator[bytes]:
        """Yield the pieces as they are stored; raise SealError at the end if they are not ours."""
        head = await anext(pieces)
        yield head
        opening = self._keyring.opening(head, place=path)
        last = await anext(pieces)
        async for piece in pieces:
            opening.update(last)
            yield last
            last = piece
        opening.end(last)
        yield last

    async def _again(self, path: str, e_tag: str | None, digests: Sequence[bytes]) -> Content:
        answer = await obstore.get_async(
            self._objects, path, options={"if_match": e_tag} if e_tag else None
        )
        size = answer.meta["size"]
        pieces = _cut(answer.stream(min_chunk_size=_PIECE), size, path)
        return Content(size - HEAD_BYTES - TAG_BYTES, self._opened(pieces, path, digests))

    async def _opened(
        self, pieces: AsyncIterator[bytes], path: str, digests: Sequence[bytes]
    ) -> AsyncIterator[bytes]:
        """Yield the content of the pieces that have these digests, in clear."""
        opening: Opening | None = None
        number = 0
        async for piece in pieces:
            if number == len(digests) or _digest(piece) != digests[number]:
                raise SealError(f"{path} was altered while it was read.")
            number += 1
            if opening is None:
                opening = self._keyring.opening(piece, place=path)
            elif number < len(digests):  # the last is the tag, which was looked at
                yield opening.update(piece)

    async def _sealed(self, path: str, data: Binary) -> bytearray:
        if len(data) < _LARGE:
            return self._keyring.seal_large(data, place=path)
        return await asyncio.to_thread(self._keyring.seal_large, data, place=path)

    async def _sealed_pieces(self, path: str, data: Binary) -> AsyncIterator[bytes]:
        sealing = self._keyring.sealing(place=path)
        yield sealing.head
        with memoryview(data) as view:
            for at in range(0, len(data), _PIECE):
                yield sealing.update(view[at : at + _PIECE])
        yield sealing.end()

    async def get_many(self, paths: Sequence[str]) -> list[bytes]:
        """Read several objects, a few at a time, in the order asked for."""
        gate = asyncio.Semaphore(_CONCURRENT_READS)

        async def read(path: str) -> bytes:
            async with gate:
                return await self.get(path)

        return await asyncio.gather(*(read(path) for path in paths))

    async def delete(self, paths: Sequence[str]) -> None:
        """Remove the objects; those that are not there count as removed."""
        for path in paths:
            try:
                await obstore.delete_async(self._objects, path)
            except (FileNotFoundError, obstore.exceptions.NotFoundError):
                continue
            except (OSError, obstore.exceptions.BaseError) as failure:
                raise UnavailableError(f"The object store did not delete {path}.") from failure

    async def pages(self) -> AsyncIterator[list[Stored]]:
        """Yield every object there is, some at a time, in no order.

        Raises:
            UnavailableError: the store did not answer.
        """
        try:
            async for page in obstore.list(self._objects, chunk_size=_PAGE):
                yield [Stored(meta["path"], meta["size"]) for meta in page]
        except (OSError, obstore.exceptions.BaseError) as failure:
            raise UnavailableError("The object store did not list its objects.") from failure

    async def key_id_of(self, path: str) -> str | None:
        """Return which key the object is encrypted with; None when it is gone, empty: none."""
        try:
            header = await obstore.get_range_async(
                self._objects, path, start=0, length=HEADER_BYTES
            )
        except (FileNotFoundError, obstore.exceptions.NotFoundError):
            return None
        except (OSError, obstore.exceptions.BaseError) as failure:
            raise UnavailableError(f"The object store did not give {path}.") from failure
        return used_key_id(bytes(header))

    async def reseal(self, path: str) -> bool:
        """Encrypt the object anew with the current key; tell whether it was done.

        It is not where the object went away or was replaced meanwhile: then it is as it should be,
        or the next look finds it. A store without conditional writes (a directory) is looked at
        once more just before the write.

        Raises:
            SealError: it does not open.
            UnavailableError: the store did not answer.
        """
        try:
            answer = await obstore.get_async(self._objects, path)
            before = answer.meta
            sealed = bytes(await answer.bytes_async())
            fresh = self._keyring.seal(self._keyring.open(sealed, place=path), place=path)
            return await self._replace(path, fresh, e_tag=before["e_tag"] or "")
        except (FileNotFoundError, obstore.exceptions.NotFoundError):
            return False
        except (OSError, obstore.exceptions.BaseError) as failure:
            raise UnavailableError(f"The object store did not take {path}.") from failure

    async def _replace(self, path: str, sealed: bytes, *, e_tag: str) -> bool:
        try:
            await obstore.put_async(self._objects, path, sealed, mode={"e_tag": e_tag})
        except obstore.exceptions.PreconditionError:
            return False
        except NotImplementedError:
            if (await obstore.head_async(self._objects, path))["e_tag"] != e_tag:
                return False
            await obstore.put_async(self._objects, path, sealed)
        return True


def open_store(url: str, keyring: Keyring, *, endpoint: str = "", **options: Any) -> Store:
    """Open `file:///dir`, `memory://`, `s3://bucket/prefix`, `az://…` or `gs://…`.

    Args:
        endpoint: of a bucket that is not at its provider's own; plain HTTP only if it says so.
        options: what obstore's `from_url` takes for that kind, such as `access_key_id`.
    """
    if url == "memory://":
        return Store(MemoryStore(), keyring)
    if url.startswith("file://"):
        directory = Path(url.removeprefix("file://"))
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Store(LocalStore(directory), keyring)
    if endpoint:
        options["endpoint"] = endpoint
        options["client_options"] = {"allow_http": endpoint.startswith("http://")}
    return Store(from_url(url, **options), keyring)


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _cut(stream: AsyncIterable[bytes], size: int, path: str) -> AsyncIterator[bytes]:
    """Yield the head, pieces of one size (the last may be smaller), and the tag.

    Raises:
        SealError: there is less than that.
    """
    lengths = _lengths(size)
    wanted = next(lengths, None)
    held = bytearray()
    async for chunk in stream:
        held += chunk
        while wanted is not None and len(held) >= wanted:
            yield bytes(held[:wanted])
            del held[:wanted]
            wanted = next(lengths, None)
    if wanted is not None:
        raise SealError(f"{path} does not open: it was cut short.")


def _lengths(size: int) -> Iterator[int]:
    yield HEAD_BYTES
    left = size - HEAD_BYTES - TAG_BYTES
    while left > 0:
        yield min(left, _PIECE)
        left -= _PIECE
    yield TAG_BYTES


def _digest(piece: bytes) -> bytes:
    return hashlib.blake2b(piece, digest_size=32).digest()
