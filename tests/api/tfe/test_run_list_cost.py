"""A page of runs that wait costs as many statements as one of few."""

from bench.lists import Statements
from tests.api.tfe.server import Server


async def test_a_page_of_waiting_runs_costs_as_many_statements_for_many_as_for_few(
    server: Server,
) -> None:
    statements = Statements(server.world.platform.sessions.kw["bind"])
    path = f"workspaces/{server.world.workspace_id}/runs?page[size]=100"
    costs = []
    for more in (3, 20):
        for _ in range(more):
            await server.world.create()
        await server.owner.get(path)
        before = statements.count
        page = await server.owner.get(path)
        costs.append(statements.count - before)
        told = [run["attributes"]["wait-reason"] for run in page["data"]]
        assert all(each.startswith("Waiting for") for each in told)
    assert costs[0] == costs[1]
