"""A provider whose things are files of this machine, each of which can be made any number of times.

Its program is run by terraform. What is made is outside of every state, as it is in earnest.
"""

import json
import sys
import uuid
import zipfile
from pathlib import Path

from tf import runner, schema, types
from tf.iface import (
    Config,
    CreateContext,
    DeleteContext,
    ImportContext,
    ReadContext,
    Resource,
    State,
    UpdateContext,
)
from tf.provider import Provider
from tf.utils import Diagnostics

SOURCE = "example.test/acme/world"


class Thing(Resource):  # type: ignore[misc] # the package has no types
    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    @classmethod
    def get_name(cls) -> str:
        return "thing"

    @classmethod
    def get_schema(cls) -> schema.Schema:
        return schema.Schema(
            attributes=[
                schema.Attribute("id", types.String(), computed=True),
                schema.Attribute("name", types.String(), required=True),
                schema.Attribute("directory", types.String(), required=True),
            ]
        )

    def create(self, ctx: CreateContext, planned: State) -> State:
        path = Path(planned["directory"], f"{uuid.uuid4()}.json")
        path.write_text(json.dumps({"name": planned["name"]}))
        return {**planned, "id": str(path)}

    def read(self, ctx: ReadContext, current: State) -> State | None:
        return self._find(str(current["id"]))

    def import_(self, ctx: ImportContext, id: str) -> State | None:  # noqa: A002 - its own name
        return self._find(id)

    def update(self, ctx: UpdateContext, current: State, planned: State) -> State:
        raise NotImplementedError

    def delete(self, ctx: DeleteContext, current: State) -> None:
        Path(str(current["id"])).unlink()

    def _find(self, name: str) -> State | None:
        path = Path(name)
        if not path.exists():
            return None
        return {"id": name, "directory": str(path.parent), **json.loads(path.read_text())}


class World(Provider):  # type: ignore[misc] # the package has no types
    def get_model_prefix(self) -> str:
        return "world_"

    def full_name(self) -> str:
        return SOURCE

    def get_provider_schema(self, diags: Diagnostics) -> schema.Schema:
        return schema.Schema(attributes=[])

    def validate_config(self, diags: Diagnostics, config: Config) -> None:
        return None

    def configure_provider(self, diags: Diagnostics, config: Config) -> None:
        return None

    def get_data_sources(self) -> list[type]:
        return []

    def get_resources(self) -> list[type]:
        return [Thing]

    def new_resource(self, klass: type) -> Resource:
        made: Resource = klass(self)
        return made

    def new_data_source(self, klass: type) -> object:
        raise NotImplementedError(klass)


def make_mirror(directory: Path) -> Path:
    """Lay out a mirror with this provider, as an operator would have it."""
    home = directory.joinpath(*SOURCE.split("/"))
    home.mkdir(parents=True)
    with zipfile.ZipFile(home / "terraform-provider-world_1.0.0_linux_amd64.zip", "w") as packed:
        program = zipfile.ZipInfo("terraform-provider-world_v1.0.0")
        program.external_attr = 0o755 << 16
        packed.writestr(
            program, f'#!/bin/sh\nexec {sys.executable} "$(dirname "$0")/provider.py" "$@"\n'
        )
        packed.write(__file__, "provider.py")
    return directory


if __name__ == "__main__":
    runner.run_provider(World(), sys.argv)
