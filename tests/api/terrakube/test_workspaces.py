"""Organizations, workspaces and variables, as Terrakube's provider and CLI ask for them."""

import pytest

from tests.api.terrakube.client import GoClient, client_of, fault, variable, workspace_cli
from tests.api.tfe.server import Server


async def test_the_provider_makes_an_organization_reads_it_changes_it_and_deletes_it(
    owner: GoClient,
) -> None:
    sent = {"name": "fresh", "description": None, "executionMode": "local", "icon": None}
    made = await owner.create("organization", "organization", **sent, disabled=False)
    assert made["attributes"]["executionMode"] == "local"
    one = f"organization/{made['id']}"
    await owner.update(one, "organization", **{**sent, "executionMode": "remote"}, disabled=False)
    shown = (await owner.get(one))["data"]["attributes"]
    assert (shown["name"], shown["executionMode"], shown["disabled"]) == ("fresh", "remote", False)
    gone = {"name": "fresh_DEL_abcd", "description": "deleted", "disabled": True}
    await owner.update(one, "organization", **gone)
    await owner.get(one, 404)


async def test_an_organization_with_workspaces_is_not_deleted(owner: GoClient, path: str) -> None:
    answer = await owner.update(path, "organization", 409, disabled=True)
    assert "has workspaces in it" in fault(answer)
    await owner.delete(path, 409)


@pytest.mark.parametrize("name", ["description", "icon"])
async def test_what_an_organization_has_not_is_refused_by_name(owner: GoClient, name: str) -> None:
    answer = await owner.create("organization", "organization", 422, name="fresh", **{name: "x"})
    assert answer["errors"][0]["source"]["pointer"] == f"/data/attributes/{name}"
    assert "leave it out" in fault(answer)


async def test_the_cli_finds_an_organization_by_its_name(owner: GoClient, server: Server) -> None:
    name = server.world.organization
    assert await owner.names("organization", f"name=={name}") == [name]
    found = await owner.find("organization", filter__organization=f"name=={name}")
    assert found["data"][0]["id"] == server.world.organization_id
    assert await owner.names("organization", "name==nobody") == []


async def test_a_stranger_finds_no_organization_and_nothing_in_it(
    server: Server, path: str
) -> None:
    stranger = client_of(server, await server.stranger())
    assert await stranger.names("organization", f"name=={server.world.organization}") == []
    for each in ("", "/workspace", "/template", f"/workspace/{server.world.workspace_id}"):
        await stranger.get(path + each, 404)


async def test_the_provider_makes_a_workspace_plans_no_change_and_deletes_it(
    owner: GoClient, path: str
) -> None:
    sent = workspace_cli("fresh", description="mine", folder="/live/prod")
    made = await owner.create(f"{path}/workspace", "workspace", **sent)
    one = f"{path}/workspace/{made['id']}"
    shown = (await owner.get(one))["data"]
    for name in sent.keys() - {"defaultTemplate"}:
        assert shown["attributes"][name] == sent[name], name
    assert shown["attributes"]["lastJobStatus"] == "NeverExecuted"
    assert shown["relationships"]["organization"]["data"]["type"] == "organization"
    assert shown["relationships"]["vcs"]["data"] is None
    await owner.update(one, "workspace", **{**sent, "iacType": "tofu", "description": None})
    shown = (await owner.get(one))["data"]["attributes"]
    assert (shown["iacType"], shown["description"]) == ("tofu", None)
    await owner.update(one, "workspace", **{**sent, "name": "fresh_DEL_ab12", "deleted": True})
    await owner.get(one, 404)


async def test_a_workspace_is_not_found_below_another_organization(
    owner: GoClient, server: Server
) -> None:
    other = (await owner.create("organization", "organization", name="other"))["id"]
    await owner.get(f"organization/{other}/workspace/{server.world.workspace_id}", 404)


async def test_the_default_template_is_whether_runs_apply_by_themselves(
    owner: GoClient, path: str
) -> None:
    found = await owner.find(f"{path}/template", filter__template="name=='Plan and apply'")
    template = found["data"][0]["id"]
    sent = workspace_cli("fresh", defaultTemplate=template)
    made = await owner.create(f"{path}/workspace", "workspace", **sent)
    assert made["attributes"]["defaultTemplate"] == template
    one = f"{path}/workspace/{made['id']}"
    await owner.update(one, "workspace", defaultTemplate="")
    assert (await owner.get(one))["data"]["attributes"]["defaultTemplate"] == template
    await owner.update(one, "workspace", defaultTemplate="tpl-plan-apply-cli")
    assert (await owner.get(one))["data"]["attributes"]["defaultTemplate"] != template
    answer = await owner.update(one, "workspace", 422, defaultTemplate="tpl-destroy")
    assert answer["errors"][0]["source"]["pointer"] == "/data/attributes/defaultTemplate"


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"allowRemoteApply": True}, "allowRemoteApply"),
        ({"moduleSshKey": "a-key"}, "moduleSshKey"),
        ({"relationships": {"ssh": "a-key"}}, "ssh"),
        ({"relationships": {"agent": "an-agent"}}, "agent"),
        ({"iacType": "pulumi"}, "iacType"),
        ({"executionMode": "agent"}, "executionMode"),
        ({"source": "https://git.example/acme/infra"}, "source"),
        ({"folder": "../etc"}, "folder"),
        ({"name": "a b"}, "name"),
    ],
)
async def test_what_cannot_be_set_is_refused_and_pointed_to(
    owner: GoClient, path: str, sent: dict[str, object], pointer: str
) -> None:
    body = workspace_cli("fresh", **sent)
    answer = await owner.create(f"{path}/workspace", "workspace", 422, **body)
    assert answer["errors"][0]["source"]["pointer"] == f"/data/attributes/{pointer}"


async def test_a_lock_is_an_attribute(owner: GoClient, server: Server, path: str) -> None:
    one = f"{path}/workspace/{server.world.workspace_id}"
    await owner.update(one, "workspace", locked=True, lockDescription="migrating")
    shown = (await owner.get(one))["data"]["attributes"]
    assert (shown["locked"], shown["lockDescription"]) == (True, "migrating")
    colleague = client_of(server, await server.caller("write"))
    await colleague.update(one, "workspace", 403, locked=False)
    admin = client_of(server, await server.caller("admin"))
    answer = await admin.update(one, "workspace", 409, locked=False)
    assert "Unable to unlock" in fault(answer)
    await owner.update(one, "workspace", locked=False)
    shown = (await owner.get(one))["data"]["attributes"]
    assert (shown["locked"], shown["lockDescription"]) == (False, None)


async def test_a_run_at_work_is_no_lock_that_a_client_could_open(
    owner: GoClient, server: Server, path: str
) -> None:
    await server.world.create()
    one = f"{path}/workspace/{server.world.workspace_id}"
    shown = (await owner.get(one))["data"]["attributes"]
    assert (shown["locked"], shown["lastJobStatus"]) == (False, "queue")
    await owner.update(one, "workspace", locked=False, description="as the CLI sends it")
    assert (await server.world.workspace()).is_locked


async def test_a_state_is_shared_with_those_that_are_named(
    owner: GoClient, server: Server, path: str
) -> None:
    other = await server.world.beside(name="reader")
    one = f"{path}/workspace/{server.world.workspace_id}"
    await owner.update(one, "workspace", sharedIds=other.workspace_id, globalRemoteState=False)
    shown = (await owner.get(one))["data"]["attributes"]
    assert (shown["sharedIds"], shown["globalRemoteState"]) == (other.workspace_id, False)
    await owner.update(one, "workspace", description="more")
    assert (await owner.get(one))["data"]["attributes"]["sharedIds"] == other.workspace_id
    await owner.update(one, "workspace", sharedIds="")
    assert (await owner.get(one))["data"]["attributes"]["sharedIds"] == ""
    await owner.update(one, "workspace", 404, sharedIds="ws-0000000000000000")


async def test_lists_are_filtered_sorted_and_paged(
    owner: GoClient, server: Server, path: str
) -> None:
    for name, kind in (("net-prod", "tofu"), ("net-test", "terraform"), ("app_prod", "tofu")):
        sent = workspace_cli(name, iacType=kind, description=f"of {name}")
        await owner.create(f"{path}/workspace", "workspace", **sent)
    everything = f"{path}/workspace"
    assert await owner.names(everything, "name==net-*") == ["net-prod", "net-test"]
    assert await owner.names(everything, "name==*_prod") == ["app_prod"]
    assert await owner.names(everything, "name==net-*;iacType==tofu") == ["net-prod"]
    either = "name==app_prod,(iacType==terraform;name==net*)"
    assert await owner.names(everything, either) == ["app_prod", "net-test"]
    assert await owner.names(everything, "name=in=(net-test,'app_prod',x)") == [
        "app_prod",
        "net-test",
    ]
    assert "net-test" not in await owner.names(everything, "name=out=(net-test)")
    assert "net-test" not in await owner.names(everything, "iacType==tofu;name!=net-test")
    assert await owner.names(everything, "description=='of net-test'") == ["net-test"]
    assert len(await owner.names(everything, "description=isnull=false")) == 3
    assert await owner.names(everything, "createdDate=gt=2999-01-01") == []
    page = await owner.find(everything, sort="-name", page__size="2", page__totals="")
    assert page["data"][1]["attributes"]["name"] == "net-test"
    assert page["meta"]["page"] == {
        "number": 1,
        "limit": 2,
        "totalPages": 2,
        "totalRecords": 4,
    }
    following = await server.http.get(
        page["links"]["next"], headers={"Authorization": f"Bearer {owner.token}"}
    )
    assert len(following.json()["data"]) == 2
    assert following.json()["links"]["next"] is None
    offset = await owner.find(everything, sort="-name", page__limit="2", page__offset="2")
    assert offset["data"] == following.json()["data"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"filter": "name"}, "expected an operator"),
        ({"filter": "name==a b"}, "quote a value"),
        ({"filter": "name=='a"}, "not closed"),
        ({"filter": "(name==a"}, "expected `)`"),
        ({"filter": "name=like=a"}, "no operator"),
        ({"filter": "secret==a"}, "cannot be asked for"),
        ({"filter": "iacType==pulumi"}, "is never"),
        ({"filter": "createdDate=gt=yesterday"}, "is never"),
        ({"filter": "globalRemoteState=gt=true"}, "true or false"),
        ({"filter": "name==(a,b)"}, "one value"),
        ({"filter": "(" * 30 + "name==a" + ")" * 30}, "deep"),
        ({"filter": ";".join(["name==a"] * 60)}, "at most 50"),
        ({"filter": "name=in=(" + ",".join("a" * 300) + ")"}, "at most 200"),
        ({"filter": "name==" + "a" * 5000}, "at most 4096"),
        ({"filter[job]": "status==failed"}, "filter[workspace]"),
        ({"page[offset]": "3", "page[limit]": "2"}, "multiple"),
        ({"sort": "secret"}, "Cannot sort"),
        ({"include": "secret"}, "Invalid include"),
    ],
)
async def test_what_a_list_cannot_be_asked_is_said(
    owner: GoClient, path: str, query: dict[str, str], words: str
) -> None:
    answer = await owner.ask("GET", f"{path}/workspace", 400, query=query)
    assert words in fault(answer), fault(answer)


async def test_filters_show_nothing_that_their_reader_may_not_see(
    server: Server, path: str
) -> None:
    await server.world.beside(name="hidden")
    reader = client_of(server, await server.caller("read"))
    seen = await reader.names(f"{path}/workspace", "name==*")
    assert seen == [(await server.world.workspace()).name]


async def test_fields_and_includes_are_chosen(owner: GoClient, server: Server, path: str) -> None:
    one = f"{path}/workspace/{server.world.workspace_id}"
    await owner.create(f"{one}/variable", "variable", **variable("region"))
    chosen = await owner.find(
        one, include="organization,variable", fields__workspace="name,variable"
    )
    assert chosen["data"]["attributes"].keys() == {"name"}
    kinds = [each["type"] for each in chosen["included"]]
    assert sorted(kinds) == ["organization", "variable"]
    assert len(chosen["data"]["relationships"]["variable"]["data"]) == 1


async def test_a_relationship_can_be_read_by_itself(
    owner: GoClient, server: Server, path: str
) -> None:
    one = f"{path}/workspace/{server.world.workspace_id}"
    made = await owner.create(f"{one}/variable", "variable", **variable("region"))
    linked = await owner.get(f"{one}/relationships/organization")
    assert linked == {"data": {"type": "organization", "id": server.world.organization_id}}
    linked = await owner.get(f"{one}/relationships/variable")
    assert linked == {"data": [{"type": "variable", "id": made["id"]}]}
    assert await owner.get(f"{one}/relationships/vcs") == {"data": None}
    await owner.get(f"{one}/relationships/secret", 404)


async def test_variables_are_made_read_changed_and_deleted(
    owner: GoClient, server: Server, path: str
) -> None:
    below = f"{path}/workspace/{server.world.workspace_id}/variable"
    made = await owner.create(below, "variable", **variable("region", value="eu"))
    secret = variable("TOKEN", value="hunter2", category="ENV", sensitive=True)
    hidden = await owner.create(below, "variable", **secret)
    assert made["attributes"]["value"] == "eu"
    assert hidden["attributes"]["value"] is None
    assert hidden["attributes"]["category"] == "ENV"
    one = f"{below}/{made['id']}"
    await owner.update(one, "variable", **variable("region", value="us", description="where"))
    shown = (await owner.get(one))["data"]["attributes"]
    assert (shown["value"], shown["description"]) == ("us", "where")
    assert await owner.names(below, "key==region", attribute="key") == ["region"]
    found = await owner.find(below, filter__variable="category==ENV;sensitive==true")
    assert [each["id"] for each in found["data"]] == [hidden["id"]]
    assert "hunter2" not in str(found)
    await owner.find(below, 400, filter="value==hunter2")
    await owner.delete(one)
    await owner.get(one, 404)


async def test_variables_are_of_those_who_may_read_them(server: Server, path: str) -> None:
    one = f"{path}/workspace/{server.world.workspace_id}"
    await client_of(server).create(f"{one}/variable", "variable", **variable("region"))
    custom = {"runs": "read", "variables": "none"}
    nosy = client_of(server, await server.caller("custom", custom))
    await nosy.get(f"{one}/variable", 403)
    shown = await nosy.find(one, include="variable")
    assert "included" not in shown or shown["included"] == []
