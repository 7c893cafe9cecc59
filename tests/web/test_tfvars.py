"""Lines of `.tfvars` files, cut into variables."""

import pytest

from landform.kit.errors import InvalidError
from landform.web.present.tfvars import Assignment, read

FILE = """
# a comment
region = "eu-1" # why
count  = 3
name   = "say \\"hi\\"\\n"
asked  = "${upper("x")}"
zones  = [
  "a", # } not an end
  "b]",
]
tags = { env = "prod" }
text = <<EOT
it = not a variable
EOT
last = true
"""


def test_text_becomes_text_and_all_else_stays_as_written() -> None:
    found = {one.key: one for one in read(FILE)}
    assert found["region"] == Assignment("region", "eu-1", is_hcl=False)
    assert found["count"] == Assignment("count", "3", is_hcl=True)
    assert found["name"].value == 'say "hi"\n'
    assert found["asked"] == Assignment("asked", '"${upper("x")}"', is_hcl=True)
    assert found["zones"].value.endswith("]")
    assert found["tags"].value == '{ env = "prod" }'
    assert found["text"].value == "<<EOT\nit = not a variable\nEOT"
    assert list(found)[-1] == "last"


@pytest.mark.parametrize(("text", "said"), [("oops", "Line 1"), ("a = [\n1", "does not end")])
def test_what_cannot_be_read_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        read(text)
