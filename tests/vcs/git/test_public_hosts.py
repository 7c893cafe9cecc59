"""The keys of the public services are those that the services print."""

from landform.vcs.git.public_hosts import PUBLIC_HOSTS
from landform.vcs.host_keys import read_host_keys

PRINTED = {
    "github.com": "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
    "gitlab.com": "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
    "bitbucket.org": "SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
    "ssh.dev.azure.com": "SHA256:ohD8VZEXGWo6Ez8GSEJQ9WpafgLFsOfLOtGGQCQo6Og",
    "vs-ssh.visualstudio.com": "SHA256:ohD8VZEXGWo6Ez8GSEJQ9WpafgLFsOfLOtGGQCQo6Og",
}


def test_the_keys_of_the_public_services_have_the_fingerprints_that_those_print() -> None:
    assert {each.host: each.fingerprint for each in read_host_keys(PUBLIC_HOSTS)} == PRINTED
