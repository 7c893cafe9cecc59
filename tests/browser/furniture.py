"""What the pictures of the pages show: a workspace that looks like somebody's."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from landform.variables import service as variables
from landform.variables.service import VariableSettings
from landform.workspaces.models import Workspace
from tests.files import make_archive, make_state, output
from tests.world import World

README = """# Production network

VPC, subnets and routes of production, for every team's workloads.

| Subnet | Range | Who |
|---|---|---|
| `private` | 10.0.0.0/20 | services |
| `public` | 10.0.128.0/22 | load balancers |

Changes go through a pull request; **platform** applies. See the
[runbook](https://wiki.example.com/network).
"""
SUBNETS = """{
  # in every zone of the region
  private = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]
  public  = ["10.0.128.0/26", "10.0.128.64/26"]
  spare   = 2
}"""
# module, type, name, instances, what it needs
_THINGS: list[tuple[str, str, str, int, list[str]]] = [
    ("", "data.aws_region", "here", 1, []),
    ("", "aws_kms_key", "main", 1, []),
    ("net", "aws_vpc", "main", 1, ["data.aws_region.here"]),
    ("net", "aws_subnet", "private", 3, ["module.net.aws_vpc.main"]),
    ("net", "aws_subnet", "public", 3, ["module.net.aws_vpc.main"]),
    ("net", "aws_internet_gateway", "main", 1, ["module.net.aws_vpc.main"]),
    ("net", "aws_eip", "nat", 3, ["module.net.aws_internet_gateway.main"]),
    (
        "net",
        "aws_nat_gateway",
        "main",
        3,
        ["module.net.aws_eip.nat", "module.net.aws_subnet.public"],
    ),
    ("net", "aws_route_table", "private", 3, ["module.net.aws_nat_gateway.main"]),
    (
        "net",
        "aws_route",
        "private",
        3,
        ["module.net.aws_route_table.private", "module.net.aws_nat_gateway.main"],
    ),
    ("logs", "aws_s3_bucket", "flow", 1, ["aws_kms_key.main"]),
    (
        "logs",
        "aws_flow_log",
        "vpc",
        1,
        ["module.net.aws_vpc.main", "module.logs.aws_s3_bucket.flow"],
    ),
    ("web", "aws_security_group", "web", 1, ["module.net.aws_vpc.main"]),
    (
        "web",
        "aws_lb",
        "web",
        1,
        ["module.net.aws_subnet.public", "module.web.aws_security_group.web"],
    ),
    ("web", "aws_lb_target_group", "web", 1, ["module.net.aws_vpc.main"]),
    (
        "web",
        "aws_lb_listener",
        "https",
        1,
        ["module.web.aws_lb.web", "module.web.aws_lb_target_group.web"],
    ),
    (
        "web",
        "aws_instance",
        "web",
        4,
        ["module.net.aws_subnet.private", "module.web.aws_security_group.web"],
    ),
]
CHECKS = [
    {
        "address": {"to_display": "check.certificate"},
        "status": "fail",
        "instances": [
            {
                "address": {"to_display": "check.certificate"},
                "problems": [{"message": "The certificate of www.example.com ends in 12 days."}],
            }
        ],
    },
    {"address": {"to_display": "module.net.aws_vpc.main"}, "status": "pass", "instances": []},
]


def configuration() -> bytes:
    """Return the configuration, with its README."""
    return make_archive({"main.tf": "# network\n", "README.md": README})


def state(serial: int) -> bytes:
    """Return the state of a network with a few servers in it."""
    resources = [_resource(*each) for each in _THINGS]
    outputs = {
        "vpc_id": output("vpc-0a1b2c3d4e5f"),
        "private_subnets": output(["10.0.0.0/22", "10.0.4.0/22"], ["list", "string"]),
        "database_password": output("x", sensitive=True),
    }
    return make_state(serial, outputs=outputs, resources=resources)


def _resource(module: str, kind: str, name: str, count: int, needs: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "mode": "data" if kind.startswith("data.") else "managed",
        "type": kind.removeprefix("data."),
        "name": name,
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [
            {"attributes": {"id": f"{name}-{n}"}, "dependencies": needs} for n in range(count)
        ],
    }
    return {**made, "module": f"module.{module}"} if module else made


async def set_variables(session: AsyncSession, world: World, workspace: Workspace) -> None:
    """Give a workspace the variables that a network has."""
    keyring, owner = world.platform.keyring, world.owner
    for given in (
        VariableSettings(key="region", value="eu-central-1", category="terraform"),
        VariableSettings(key="subnets", value=SUBNETS, category="terraform", hcl=True),
        VariableSettings(key="AWS_REGION", value="eu-central-1", category="env"),
        VariableSettings(key="AWS_SECRET_ACCESS_KEY", value="x", category="env", sensitive=True),
    ):
        await variables.create_variable(session, keyring, owner, workspace, given)
