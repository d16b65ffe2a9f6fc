# SPDX-License-Identifier: Apache-2.0
# Read by check and compare.

# unpack ARCHIVE DIRECTORY, with Python where there is no xz.
unpack() {
    mkdir -p "$2"
    if command -v xz >/dev/null; then
        xz -dc "$1" | tar -C "$2" -xf -
    elif command -v python3 >/dev/null; then
        python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$1" "$2"
    else
        echo "Unpacking $1 needs xz or python3, and neither is in PATH." >&2
        return 1
    fi || {
        echo "$1 was not unpacked to $2. Is there room ($(df -h --output=avail "$2" | tail -n 1 | tr -d ' ') free)?" \
            "TMPDIR names another place." >&2
        return 1
    }
}
