#!/bin/sh
# Starts the child inside a container image: use as launcher = ["/path/launch-child.sh"].
# The worker's socket is the descriptor that INFERON_BSS2_FD names; apptainer hands descriptors and
# the environment on. docker does neither: use podman with --preserve-fds instead (below).
set -eu
image=${INFERON_BSS2_IMAGE:-/containers/stable/latest}
child=${INFERON_BSS2_CHILD:-/usr/share/inferon/brainscales2/bss2_child.py}
folder=$(dirname "$child")

if command -v apptainer >/dev/null 2>&1; then
  exec apptainer exec --app dls --bind "$folder" "$image" python3 -u "$child" "$@"
fi
if command -v podman >/dev/null 2>&1; then
  # Descriptors 3 .. 3+N-1 are kept; the worker uses 3.
  exec podman run --rm --network host --preserve-fds 1 --env INFERON_BSS2_FD --env 'SLURM_*' \
    --env 'QUIGGELDY_*' --volume "$folder:$folder:ro" "$image" python3 -u "$child" "$@"
fi
echo "launch-child.sh: neither apptainer nor podman is here" >&2
exit 127
