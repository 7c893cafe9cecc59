"""Values written as HCL: what they are, and where they are wrong; terraform says so too."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from landform.contract import Category, Variable
from landform.execution.variables import as_tfvars
from landform.variables.hcl import assignments, understand
from landform.variables.hcl_tokens import HclError
from landform.variables.service import VALUE_LIMIT

TERRAFORM = shutil.which("terraform") or "terraform-is-missing"
RIGHT = {
    "": "null",
    "null": "null",
    "true": "bool",
    "!true": "bool",
    "1 < 2 && true": "bool",
    "12.5e3": "number",
    "-(1 + 2) * 3": "number",
    '"a ${1 + 2} b %{if true}c%{else}d%{endif} $${e} \\u00e9"': "text",
    '"%{for one in [1, 2]}${one}%{endfor}"': "text",
    "<<EOT\nhi ${1}\n  EOT": "text",
    "<<-EOT\n  hi $${no}\n  EOT": "text",
    "[]": "list",
    "[1, [2,\n3],]": "list",
    "[<<EOT\nhi\nEOT\n, 1]": "list",
    "{}": "map",
    '{ a = 1, "b" : 2\n c-d = [\n1] # why\n (1) = 3 }': "map",
    "{\n\n  a = 1,\n  b = 2,\n}": "map",
    "[for one in [1, 2] : one * 2 if one > 1]": "expression",
    '{for k, v in {a = 1} : k => v.b if k != "a"}': "expression",
    "{for k, v in {a = 1} : v => k...}": "expression",
    "true ? 1 : false ? 2 : 3": "expression",
    "[{ a = [1] }][0].a[*]": "expression",
    "/* why */ 1 // because": "number",
}
WRONG = [
    ("[1 2]", 1, 4, "Expected ] or a comma here; the [ of line 1, column 1 is still open"),
    ("[1,\n 2", 1, 1, "This [ is never closed"),
    ("[1, 2]]", 1, 7, "This ] closes nothing"),
    ("[1,, 2]", 1, 4, "A value is missing"),
    ("[{ a = 1 ]", 1, 10, "Expected } or a comma or a new line"),
    ("{\n  a = 1\n  b 2\n}", 3, 5, "An = is missing after the key"),
    ("{ a = 1 b = 2 }", 1, 9, "Expected } or a comma"),
    ("{ a = }", 1, 7, "A value is missing"),
    ("{ a =\n 1 }", 1, 6, "A value is missing here; it begins on this line"),
    ("a = 1", 1, 1, "This is no value"),
    ("eu-1", 1, 1, "Text stands in double quotes"),
    ("[var.region]", 1, 2, "cannot refer to anything else"),
    ('upper("a")', 1, 1, "Functions cannot be called"),
    ("provider::a::b(1)", 1, 1, "Functions cannot be called"),
    ("'a'", 1, 1, "not in single ones"),
    ('"a', 1, 1, "never closed"),
    ('"a\nb"', 1, 1, "no closing quote on its line"),
    ('"\\q"', 1, 2, "After \\ stands one of"),
    ('"${1"', 1, 5, "Expected a } here"),
    ('"${[1}"', 1, 6, "Expected ] or a comma"),
    ('"%{if true}a"', 1, 1, "%{ endif } is missing"),
    ('"%{endif}"', 1, 4, "one of: if, else, endif"),
    ("1.2.3", 1, 1, "A version or an address is text"),
    ("1 2", 1, 3, "The value ends before this"),
    ('"a" = 1', 1, 5, "Maps stand in braces"),
    ("1\n+ 2", 2, 1, "The value ended on a line before"),
    ("1 +", 1, 4, "A value is missing"),
    ("true ? 1", 1, 9, "A : is missing"),
    ("[for x in [1] x]", 1, 15, "A : is missing"),
    ("[for in [1]: x]", 1, 9, "The word in is missing"),
    ("{for k, v in {} : k}", 1, 20, "A => is missing"),
    ("<<EOT\nhi", 1, 1, "This text never ends"),
    ("[1; 2]", 1, 3, "not by semicolons"),
    ("# nothing", 1, 1, "A value is missing"),
]
FILE = """
# a comment
region = "eu-1" # why
count  = 3
name   = "say \\"hi\\"\\n"
zones  = [
  "a", # } not an end
  "b]",
]
text = <<EOT
it = not a variable
EOT
last = true
"""


@pytest.mark.parametrize("value", RIGHT)
def test_what_a_value_is_is_understood(value: str) -> None:
    assert understand(value).kind == RIGHT[value]


@pytest.mark.parametrize(("value", "line", "column", "said"), WRONG)
def test_what_is_wrong_is_said_with_its_place(
    value: str, line: int, column: int, said: str
) -> None:
    with pytest.raises(HclError) as failure:
        understand(value)
    assert (failure.value.line, failure.value.column) == (line, column)
    assert said in failure.value.said


def test_a_value_cannot_set_another_variable() -> None:
    smuggled = '1\nother = "x"'  # two lines of the file that terraform reads
    with pytest.raises(HclError, match="ended on a line before"):
        understand(smuggled)


def test_items_and_keys_are_counted() -> None:
    assert understand("[1, [2, 3], {}]").count == 3
    found = understand('{ a = { z = 1 }, "b c" = 2 }')
    assert (found.count, found.keys) == (2, ("a", "b c"))


def test_terraform_refuses_the_same_values_and_no_others(tmp_path: Path) -> None:
    values = [*(value for value in RIGHT if value), *(value for value, *_ in WRONG)]
    (tmp_path / "main.tf").write_text(
        "".join(f'variable "x{n}" {{ type = any }}\n' for n in range(len(values)))
    )
    for number, value in enumerate(values):
        one = Variable(key=f"x{number}", value=value, category=Category.TERRAFORM, hcl=True)
        (tmp_path / f"x{number}.tfvars").write_text(as_tfvars([one]))
    command = [TERRAFORM, f"-chdir={tmp_path}"]
    subprocess.run([*command, "init", "-input=false"], check=True, capture_output=True)
    command += ["plan", "-input=false", "-no-color"]
    asked, refused = set(range(len(values))), set[int]()
    while True:  # what cannot be read hides what cannot be evaluated
        files = [f"-var-file=x{number}.tfvars" for number in sorted(asked)]
        told = subprocess.run([*command, *files], check=False, capture_output=True, text=True)
        found = {int(number) for number in re.findall(r"on x(\d+)\.tfvars line", told.stderr)}
        refused |= found
        asked -= found
        if not found:
            break
    right = len(values) - len(WRONG)
    assert refused == set(range(right, len(values))), told.stderr


def test_the_variables_of_a_file_are_found() -> None:
    found = {one.key: one for one in assignments(FILE)}
    assert list(found) == ["region", "count", "name", "zones", "text", "last"]
    assert found["region"].understood.text == "eu-1"
    assert found["name"].understood.text == 'say "hi"\n'
    assert (found["count"].written, found["count"].line) == ("3", 4)
    assert found["zones"].written.endswith('"b]",\n]')
    assert found["text"].written == "<<EOT\nit = not a variable\nEOT"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("oops", 1, "An = is missing after the name"),
        ('a = 1\nresource "x" {}', 2, "An = is missing"),
        ("a = [\n1", 1, "never closed"),
        ("a = 1\n\n1 = 2", 3, "begins no variable"),
        ("a = 1\nb = 2\na = 3", 3, "a is set twice; line 1 sets it too"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(HclError) as failure:
        assignments(text)
    assert failure.value.line == line
    assert said in failure.value.said


@pytest.mark.parametrize(
    "part",
    ["[", "(", "{a=", '"', '"${', '["${', "-", "1?1:", "1?", "/*", "/**/", "<<A\n", "#\n[", "a b "],
)
def test_no_value_takes_long_to_refuse(part: str) -> None:
    hostile = part * (VALUE_LIMIT // len(part))
    started = time.process_time()
    with pytest.raises(HclError):
        understand(hostile)
    assert time.process_time() - started < 10  # seconds; about one on a quiet machine


@pytest.mark.parametrize("wrong", [value for value, *_ in WRONG])
def test_no_message_holds_what_was_typed(wrong: str) -> None:
    with pytest.raises(HclError) as failure:
        understand(wrong.replace("b", "secretword"))
    assert "secretword" not in str(failure.value)
