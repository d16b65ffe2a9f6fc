#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds and runs the emulator's own tests. Called by build.sh test [PART OF A NAME].
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
./build.sh
mkdir -p build/tests
./build.sh kernels build/tests/good.so tests/good_kernels.cu
./build.sh kernels build/tests/bad.so tests/bad_kernels.cu
objects=
for source in tests/*.cpp; do
    object=build/tests/$(basename "$source" .cpp).o
    if [ ! -f "$object" ] || [ "$source" -nt "$object" ] || [ tests/device_api.h -nt "$object" ]; then
        ${CXX:-g++} -std=c++20 -O1 -Wall -c "$source" -o "$object" &
    fi
    objects="$objects $object"
done
wait
${CXX:-g++} $objects -o build/tests/emulator_test build/libcuda.so.1 build/cublas12/libcublas.so.12 -lpthread \
    -Wl,-rpath,"$PWD/build:$PWD/build/cublas12"
build/tests/emulator_test "$@"
${CXX:-g++} -std=c++17 -O1 -Wall tests/unloading/unloading_test.cpp -o build/tests/unloading_test -ldl
build/tests/unloading_test build/libcuda.so.1
EMBED4J_EMULATOR_DEVICES=2 build/tests/emulator_test two_devices
