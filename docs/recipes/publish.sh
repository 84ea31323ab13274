#!/bin/sh
# Publish from a shell: publish.sh URL CHANNEL TEXT. Sends again with the same key when it does not know
# whether it is there.
set -eu
url=$1 channel=$2 text=$3
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
curl --silent --show-error --fail --retry 5 --retry-connrefused --retry-delay 1 --max-time 10 \
  --header "Idempotency-Key: $key" --data-binary "$text" "$url/pub?id=$channel"
