#!/bin/sh
# Starts the child inside a container image, as the 'launcher' of a device configuration:
#   launcher = ["/usr/share/inferon/brainscales2/launch-child.sh", "--bind", "/calibrations",
#               "/containers/stable/latest"]
# launch-child.sh [--bind FOLDER]... IMAGE [ARGUMENT...]
# The child's own folder is bound in any case; bind the calibration's too. The child is the one
# beside this script, or INFERON_BSS2_CHILD. The worker's socket is descriptor 3, which
# INFERON_BSS2_FD names: apptainer hands descriptors and environment on, podman what it is told to;
# docker cannot.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
child=${INFERON_BSS2_CHILD:-$here/bss2_child.py}
if [ ! -e "$child" ]; then  # In a checkout.
  child=$(cd "$here/../../worker/brainscales2/child" && pwd)/bss2_child.py
fi
folders=$(dirname "$child")
while [ "${1:-}" = --bind ]; do
  [ $# -ge 2 ] || { echo "launch-child.sh: --bind needs a folder" >&2; exit 2; }
  folders="$folders
$2"
  shift 2
done
[ $# -ge 1 ] || { echo "launch-child.sh: give the container image" >&2; exit 2; }
image=$1
shift

# The positional parameters become IMAGE's command line, from its end to its beginning.
set -- "$image" python3 -u "$child" "$@"
if command -v apptainer >/dev/null 2>&1; then
  while read -r folder; do set -- --bind "$folder:$folder:ro" "$@"; done <<EOF
$folders
EOF
  exec apptainer exec --app dls "$@"
fi
if command -v podman >/dev/null 2>&1; then
  while read -r folder; do set -- --volume "$folder:$folder:ro" "$@"; done <<EOF
$folders
EOF
  exec podman run --rm --network host --preserve-fds 1 --env INFERON_BSS2_FD --env 'SLURM_*' \
    --env 'QUIGGELDY_*' "$@"
fi
echo "launch-child.sh: neither apptainer nor podman is here" >&2
exit 127
