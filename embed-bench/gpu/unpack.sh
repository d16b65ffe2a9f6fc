# SPDX-License-Identifier: Apache-2.0
# Read by check and compare.

# unpack ARCHIVE DIRECTORY, with Python where there is no xz.
unpack() {
    mkdir -p "$2"
    if command -v xz >/dev/null; then
        xz -dc "$1" | tar -C "$2" -xf -
    else
        python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$1" "$2"
    fi
}
