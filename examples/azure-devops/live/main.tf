# What goes into a repository of Azure DevOps. It needs no cloud account and no provider from a
# registry, and no `cloud` block: the workspace says where its state is.

terraform {
  required_version = ">= 1.4.0"
}

variable "environment" {
  description = "What is described here."
  type        = string
  default     = "test"
}

resource "terraform_data" "network" {
  input = {
    environment = var.environment
    ranges      = ["10.0.0.0/24", "10.0.1.0/24"]
  }
}

output "ranges" {
  description = "The address ranges of the network."
  value       = terraform_data.network.output.ranges
}
