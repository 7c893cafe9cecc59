"""One plan or apply on one machine: unpack, run the tool in a sandbox, keep what it made."""
