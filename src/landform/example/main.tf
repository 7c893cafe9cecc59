# Needs no cloud account and no provider from a registry. `make demo` takes it through a platform
# of its own; to use yours, set TF_CLOUD_HOSTNAME (see docs/quickstart.md).

terraform {
  required_version = ">= 1.4.0"

  cloud {
    organization = "demo"

    workspaces {
      name = "hello"
    }
  }
}

variable "name" {
  description = "Who is greeted."
  type        = string
  default     = "world"

  validation {
    condition     = length(var.name) > 0
    error_message = "There must be somebody to greet."
  }
}

resource "terraform_data" "greeting" {
  input = "Hello, ${var.name}!"
}

output "greeting" {
  description = "What was said."
  value       = terraform_data.greeting.output
}
