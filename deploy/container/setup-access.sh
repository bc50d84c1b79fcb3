#!/bin/sh
# Makes what a node's processes need to know each other, once: a CA, the server's certificate, the
# file of tokens and a token for each. What is there stays.
# Usage: setup-access.sh ACCESS HOST...   (HOST: names or addresses that clients call the node by)
set -eu
[ $# -ge 1 ] || { echo "usage: setup-access.sh ACCESS HOST..." >&2; exit 1; }
access=$1
shift
umask 077
for part in ca server worker trainer client; do mkdir -p "$access/$part"; done

[ -e "$access/ca/ca.key" ] || make-certs.sh ca "$access/ca"
[ -e "$access/ca/node.key" ] || make-certs.sh server "$access/ca" node "$@"
for file in node.crt node.key; do cp -f "$access/ca/$file" "$access/server/$file"; done
for part in server worker trainer client; do cp -f "$access/ca/ca.crt" "$access/$part/ca.crt"; done

# token PART ROLE NAME OPTION...
token() {
  part=$1 role=$2 name=$3
  shift 3
  [ -e "$access/$part/$name.token" ] || inferon token create --tokens "$access/server/tokens.json" \
    --role "$role" --name "$name" --out "$access/$part/$name.token" "$@"
}
token client operator admin --expires 365d
token server viewer health --all-projects --expires never
token worker worker worker --expires never
token trainer submitter trainer --all-projects --expires never
