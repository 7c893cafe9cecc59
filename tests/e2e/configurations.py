"""Configurations that the scenarios share. All of them need no provider but terraform's own."""

from typing import Final

COLOR: Final = """
variable "color" {
  default = "red"
}

resource "terraform_data" "paint" {
  input = var.color
}

output "color" {
  value = terraform_data.paint.output
}
"""

EMPTY: Final = ""
