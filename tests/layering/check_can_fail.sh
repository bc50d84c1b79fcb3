#!/bin/sh
# Plants each forbidden line in an otherwise clean tree and expects the check to refuse it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/common/base" "$tree/server/scheduler" "$tree/server/trainer" "$tree/worker" \
  "$tree/client" "$tree/tests"
sh "$here/check.sh" "$tree" >/dev/null

expect_refused() { # expect_refused FILE LINE
  printf '#pragma once\n%s\n' "$2" >"$tree/$1"
  if sh "$here/check.sh" "$tree" >/dev/null 2>&1; then
    echo "the check accepts '$2' in $1" >&2
    exit 1
  fi
  rm "$tree/$1"
}
expect_refused common/base/a.h '#include "server/scheduler/queue.h"'
expect_refused server/scheduler/a.h '#include "worker/substrate.h"'
expect_refused server/scheduler/a.cc '#include "server/trainer/main.h"'
expect_refused server/trainer/a.cc '#include <torch/torch.h>'
expect_refused server/trainer/a.cc '#include "server/scheduler/queue.h"'
expect_refused worker/a.cc '#include "client/library/client.h"'
expect_refused client/a.cc '#include "worker/substrate.h"'
expect_refused server/scheduler/store.cc '#include <sqlite3.h>'
expect_refused worker/a.cc '#include <toml++/toml.h>'
expect_refused worker/a.cc '#include <hwy/highway.h>'
expect_refused common/base/a.h '#include <immintrin.h>'
expect_refused common/base/a.cc '#include <hdf5.h>'
expect_refused server/scheduler/a.cc '#include <prometheus/exposer.h>'
expect_refused worker/a.cc '#include "common/recordings/recording.h"'
expect_refused server/scheduler/queue.cc '#include <grpcpp/grpcpp.h>'
expect_refused worker/a.cc '#include <toml++/toml.h>'
expect_refused worker/a.cc 'std::this_thread::sleep_for(x);'
expect_refused worker/a.cc 'thread.detach();'
echo "each forbidden line is refused"
