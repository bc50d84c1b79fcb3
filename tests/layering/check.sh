#!/bin/sh
# The architecture's rules on includes, checked by grep. Usage: check.sh ROOT
# Includes point down only: common <- server, worker, client; siblings never include each other;
# gRPC, SQL and torch each stay at their edge; nothing reads a clock or sleeps by itself.
set -eu
cd "$1"
failures=0

# forbid WHAT PATTERN FOLDERS [ALLOWED]: no line of the folders' sources matches PATTERN, but for
# files whose path matches ALLOWED.
forbid() {
  # shellcheck disable=SC2086  # a list of folders
  found=$(find $3 -name '*.h' -o -name '*.cc' 2>/dev/null | grep -Ev "${4:-^$}" | sort |
    xargs -r grep -nE "$2" /dev/null || :)
  if [ -n "$found" ]; then
    printf 'layering: %s\n%s\n' "$1" "$found" >&2
    failures=$((failures + 1))
  fi
}

include='^ *#include *[<"]'
forbid 'common includes nothing above it' "${include}(server|worker|client)/" 'common'
forbid 'servers include neither workers nor clients' "${include}(worker|client)/" 'server'
forbid 'workers include neither servers nor clients' "${include}(server|client)/" 'worker'
forbid 'clients include neither servers nor workers' "${include}(server|worker)/" 'client'
forbid 'the scheduler knows nothing of the trainer' "${include}server/trainer/" 'server/scheduler'
forbid 'the trainer knows nothing of the scheduler' "${include}server/scheduler/" 'server/trainer'
forbid 'torch stays in the estimator library' "${include}(torch|ATen|c10|caffe2)/" \
  'common server worker client' '^server/trainer/estimators/'
forbid 'the estimator library builds without gRPC' "${include}(grpc|google/|.*\\.pb\\.h|common/rpc)" \
  'server/trainer/estimators'
forbid 'SQL stays in one library' "${include}sqlite3" 'common server worker client' '^common/sqlite/'
forbid 'TOML stays in its readers' "${include}toml" 'common server worker client' \
  '^common/(neuron/toml_reader\.h|config/toml_reader\.cc)$'
forbid 'SIMD stays in the emulator and the estimators' "${include}(hwy/|[a-z]*intrin\\.h)" 'common server worker client' \
  '^worker/emulator/(kernel|lane_math)|^server/trainer/estimators/'
forbid 'HDF5 stays with its reader and its writer' "${include}hdf5" 'common server worker client' \
  '^common/(recordings/nwb|tables/hdf5)/'
forbid 'Prometheus stays in one file' "${include}prometheus/" 'common server worker client' \
  '^common/metrics/metrics_server\.cc$'
forbid 'servers and workers read no recordings' "${include}common/recordings/" 'server worker'
forbid 'gRPC stays in services, links, converters and mains' "${include}(grpc|inferon/v1/.*\\.pb\\.h)" \
  'common server worker client' \
  '^common/rpc/|^server/[a-z]+/(services?/|.*service[a-z_]*\.|main\.cc)|^worker/(main\.cc|agent/.*link)|^client/(library|cli)/'
forbid 'time and waiting are injected' \
  '(sleep_for|sleep_until|usleep|nanosleep|_clock::now|time\(nullptr\)|gettimeofday)' \
  'common server worker client' '^common/base/clock\.cc$'
forbid 'threads are never detached' '\.detach\(\)' 'server worker client common' '^server/trainer/estimators/'
forbid 'headers guard themselves with pragma once only' '^#ifndef .*_H_?$' 'common server worker client tests'

# Highway includes *-inl.h once for each instruction set.
missing=$(find common server worker client tests -name '*.h' ! -name '*-inl.h' -exec grep -L '^#pragma once' {} + || :)
if [ -n "$missing" ]; then
  printf 'layering: headers without #pragma once\n%s\n' "$missing" >&2
  failures=$((failures + 1))
fi
[ "$failures" -eq 0 ] || exit 1
echo "layering: clean"
