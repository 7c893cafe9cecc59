"""Configurations of a wanted size, for terraform's built-in provider alone."""

import io
import tarfile
from collections.abc import Mapping

Files = Mapping[str, str]

_MODULE = """
variable "name" { type = string }
resource "terraform_data" "one" {
  count = 9
  input = "${var.name}-${count.index}"
}
"""


def sized(resources: int) -> Files:
    """Return a configuration of `resources` resources: one alone, or modules of nine and roots."""
    if resources == 1:
        return {"main.tf": 'resource "terraform_data" "one" { input = "x" }\n'}
    roots = resources // 10
    main = f"""
resource "terraform_data" "root" {{
  for_each = toset([for n in range({roots}) : tostring(n)])
  input    = "root-${{each.key}}"
}}
module "shelf" {{
  source   = "./shelf"
  for_each = terraform_data.root
  name     = each.key
}}
"""
    return {"main.tf": main, "shelf/main.tf": _MODULE}


def numbered(number: int) -> Files:
    """Return a configuration of one resource that each number changes."""
    return {"main.tf": f'resource "terraform_data" "one" {{ input = "{number}" }}\n'}


def saying(command: str) -> Files:
    """Return a configuration whose apply runs a shell command, for what it prints."""
    main = f"""
resource "terraform_data" "speaker" {{
  provisioner "local-exec" {{
    command = <<-EOT
      {command}
    EOT
  }}
}}
"""
    return {"main.tf": main}


def archive(files: Files) -> bytes:
    """Return the configuration as the tar.gz that a client uploads."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()
