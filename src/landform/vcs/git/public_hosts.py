"""SSH keys of the public services, as those print them on pages of their own.

They are here so that a module there can be fetched without anybody having pinned anything; the
fingerprints to compare are in tests/vcs/git/test_public_hosts.py, from:
https://docs.github.com/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints
https://docs.gitlab.com/user/gitlab_com/#ssh-host-keys-fingerprints
https://bitbucket.org/site/ssh
https://learn.microsoft.com/azure/devops/repos/git/use-ssh-keys-to-authenticate
"""

from typing import Final

_AZURE: Final = (
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQC7Hr1oTWqNqOlzGJOfGJ4NakVyIzf1rXYd4d7wo6jBlkLvCA4odBlL0mDUyZ0/"
    "QUfTTqeu+tm22gOsv+VrVTMk6vwRU75gY/y9ut5Mb3bR5BV58dKXyq9A9UeB5Cakehn5Zgm6x1mKoVyf+FFn26iYqXJR"
    "gzIZZcZ5V6hrE0Qg39kZm4az48o0AUbf6Sp4SLdvnuMa2sVNwHBboS7EJkm57XQPVU3/QpyNLHbWDdzwtrlS+ez30S3A"
    "dYhLKEOxAG8weOnyrtLJAUen9mTkol8oII1edf7mWWbWVf0nBmly21+nZcmCTISQBtdcyPaEno7fFQMDD26/s0lfKob4"
    "Kw8H"
)

PUBLIC_HOSTS: Final = f"""\
github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
gitlab.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf
bitbucket.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0MuJ2e2gKTKqu+UUO
ssh.dev.azure.com ssh-rsa {_AZURE}
vs-ssh.visualstudio.com ssh-rsa {_AZURE}
"""
"""Lines of a known_hosts file."""
