"""Configurations of a wanted size, for terraform's built-in provider alone."""

import io
import tarfile

_MODULE = """
variable "name" { type = string }
resource "terraform_data" "one" {
  count = 9
  input = "${var.name}-${count.index}"
}
"""


def files(resources: int) -> dict[str, str]:
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


def archive(resources: int) -> bytes:
    """Return the configuration as the tar.gz that a client uploads."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files(resources).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()
