"""Write-once objects: state, plans, configurations and logs, encrypted, on disk or in a bucket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from landform.kit.crypto import HEADER_BYTES, Binary, Keyring, used_key_id
from landform.kit.errors import ConflictError, NotFoundError, UnavailableError

_CONCURRENT_READS: Final = 8
_PAGE: Final = 1000
_LARGE: Final = 1 << 20  # bytes whose encryption would keep everybody else waiting


@dataclass(frozen=True)
class Stored:
    """One object as a listing has it; the size is that of what is stored."""

    path: str
    size_bytes: int


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
        sealed = await self._sealed(path, data)
        try:
            await obstore.put_async(self._objects, path, sealed)
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

    async def _sealed(self, path: str, data: Binary) -> bytearray:
        if len(data) < _LARGE:
            return self._keyring.seal_large(data, place=path)
        return await asyncio.to_thread(self._keyring.seal_large, data, place=path)

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
