"""A provider of one thing, which keeps nothing anywhere; run as a program by terraform."""

import sys

from tf import runner, schema, types
from tf.iface import (
    Config,
    CreateContext,
    DeleteContext,
    ReadContext,
    Resource,
    State,
    UpdateContext,
)
from tf.provider import Provider
from tf.utils import Diagnostics


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
                schema.Attribute("name", types.String(), optional=True),
                schema.Attribute("secret", types.String(), optional=True, sensitive=True),
                schema.Attribute("port", types.Number(), optional=True),
                schema.Attribute("on", types.Bool(), optional=True),
                schema.Attribute("tags", types.Map(types.String()), optional=True),
                schema.Attribute("list", types.List(types.String()), optional=True),
            ]
        )

    def create(self, ctx: CreateContext, planned: State) -> State:
        return {**planned, "id": "thing-1"}

    def read(self, ctx: ReadContext, current: State) -> State:
        return current

    def update(self, ctx: UpdateContext, current: State, planned: State) -> State:
        return {**planned, "id": "thing-1"}

    def delete(self, ctx: DeleteContext, current: State) -> None:
        return None


class Sandbox(Provider):  # type: ignore[misc] # the package has no types
    def get_model_prefix(self) -> str:
        return "sandbox_"

    def full_name(self) -> str:
        return "example.test/acme/sandbox"

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


if __name__ == "__main__":
    runner.run_provider(Sandbox(), sys.argv)
