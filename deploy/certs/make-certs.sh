#!/bin/sh
# A private CA for tests and labs, and certificates of it. Needs openssl.
set -eu

usage() {
  cat <<'TEXT'
make-certs.sh ca FOLDER                     makes FOLDER/ca.crt and FOLDER/ca.key
make-certs.sh server FOLDER NAME [HOST...]  FOLDER/NAME.crt and .key of a server that is reached
                                            under these host names or addresses (besides NAME,
                                            localhost, 127.0.0.1)
make-certs.sh client FOLDER NAME            FOLDER/NAME.crt and .key of a client (mTLS)

Made again, a certificate replaces the one before; servers take it up without a restart.
INFERON_CERT_DAYS: days that it is good for (default 365; a CA: ten times as many).
Keep ca.key where no server runs: who has it can be anyone.
TEXT
}

die() { printf 'make-certs: %s\n' "$*" >&2; exit 1; }

days=${INFERON_CERT_DAYS:-365}
command=${1:-help}
folder=${2:-}
name=${3:-}

case $command in
  ca) [ $# -eq 2 ] || { usage >&2; die "ca needs a folder"; } ;;
  server) [ $# -ge 3 ] || { usage >&2; die "server needs a folder and a name"; } ;;
  client) [ $# -eq 3 ] || { usage >&2; die "client needs a folder and a name"; } ;;
  help|-h|--help) usage; exit 0 ;;
  *) usage >&2; die "there is no command '$command'" ;;
esac
case $name in *[!A-Za-z0-9._-]*) die "'$name' is not a name of letters, digits, dots and hyphens" ;; esac

mkdir -p "$folder"  # Open to services that read ca.crt; keys are closed one by one.
umask 077
work=$(mktemp -d "$folder/.make.XXXXXX")
trap 'rm -rf "$work"' EXIT

# put FILE MODE: into the folder at once, so that a reader sees the old or the new one.
put() { chmod "$2" "$work/$1"; mv "$work/$1" "$folder/$1"; }

make_ca() {
  [ ! -e "$folder/ca.key" ] || die "$folder has a CA already: a new one would make its certificates worthless"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 \
    -days $((days * 10)) -subj "/CN=Inferon private CA" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout "$work/ca.key" -out "$work/ca.crt" 2>"$work/log" || { cat "$work/log" >&2; die "openssl failed"; }
  put ca.key 600
  put ca.crt 644
}

# sign USAGE SAN
sign() {
  [ -e "$folder/ca.key" ] || die "$folder has no CA: run 'make-certs.sh ca $folder' first"
  {
    echo "basicConstraints=critical,CA:FALSE"
    echo "keyUsage=critical,digitalSignature"
    echo "extendedKeyUsage=$1"
    echo "subjectAltName=$2"
  } >"$work/extensions"
  {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 \
      -subj "/CN=$name" -keyout "$work/$name.key" -out "$work/request" &&
      openssl x509 -req -in "$work/request" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" \
        -set_serial "0x$(openssl rand -hex 16)" -days "$days" -sha256 \
        -extfile "$work/extensions" -out "$work/$name.crt"
  } 2>"$work/log" || { cat "$work/log" >&2; die "openssl failed"; }
  put "$name.key" 600
  put "$name.crt" 644
}

host_names() {
  names="DNS:$name,DNS:localhost,IP:127.0.0.1"
  for host in "$@"; do
    case $host in
      *[!0-9.:a-fA-F]*) names="$names,DNS:$host" ;;
      *.*.*.*|*:*) names="$names,IP:$host" ;;
      *) names="$names,DNS:$host" ;;
    esac
  done
  echo "$names"
}

case $command in
  ca) make_ca ;;
  server) shift 3; sign serverAuth "$(host_names "$@")" ;;
  client) sign clientAuth "DNS:$name" ;;
esac
