#!/bin/sh
# Connects a Landform organization to Azure DevOps by a personal access token, which is read from
# standard input, and plans a workspace from one of its repositories.
#
#   connect.sh ORGANIZATION AZURE-ORGANIZATION REPOSITORY-URL [option of `landform vcs create` …]
#
# LANDFORM_ADDRESS is the server (default: the one that runs here), LANDFORM_TOKEN a token of it
# (default: made for the user admin of the server that runs here).
set -eu

organization=$1 account=$2 repository=$3
shift 3
: "${LANDFORM_ADDRESS:=http://127.0.0.1:8080}"
: "${LANDFORM_TOKEN:=$(landform token create --user admin --expires-in 1h)}"
export LANDFORM_ADDRESS LANDFORM_TOKEN

made=$(landform vcs create -o "$organization" --name "azure-$account" --type AZURE_DEVOPS \
  --sign-in token --account "$account" --secret-file - "$@")
id=$(printf '%s\n' "$made" | sed -n 's/^Made the VCS connection \(oc-[A-Za-z0-9]*\).*/\1/p')
landform vcs test -o "$organization" "$id"

headers=$(mktemp) # a token does not belong into the list of processes
trap 'rm -f "$headers"' EXIT
printf 'Authorization: Bearer %s\n' "$LANDFORM_TOKEN" >"$headers"

body=$(python3 -c 'import json, sys
repository, token_id = sys.argv[1:]
print(json.dumps({"data": {"type": "workspaces", "attributes": {
    "name": "network",
    "working-directory": "live",
    "vcs-repo": {"identifier": repository, "oauth-token-id": token_id},
}}}))' "$repository" "ot-${id#oc-}")
curl -sS --fail-with-body -H @"$headers" -H 'Content-Type: application/vnd.api+json' \
  "$LANDFORM_ADDRESS/api/v2/organizations/$organization/workspaces" -d "$body" >/dev/null
echo "Connected: $LANDFORM_ADDRESS/app/$organization/network"
